"""What a person does on the playground, and what is to be seen there then."""

FILLED = {
    "first": {"text": "glad sun"},
    "second-intermediate": {"text": "glad sun", "pair": "glad sun"},
    "first-intermediate-tags": {"text": "glad sun in 😀 rain"},
    "second": {"question": "good", "context": "😀 calm tea and sun"},
    "first-intermediate-choice": {"prompt": "quiet", "choices": "tea\nsea\nsun"},
    "bundle": {"query": "glad", "texts": "sad rain\nglad sun\ncalm tea"},
}
"""A question for an adapter of every family, and for the bare encoder."""
CONTRAST = """
() => {
  const shade = (color) => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([red, green, blue]) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = [red, green, blue].map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let own = element; own; own = own.parentElement) {
      const found = shade(getComputedStyle(own).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255];
  };
  const speaks = (own) => [...own.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll("body *")]
    .filter((own) => own.checkVisibility() && speaks(own))
    .map((own) => {
      const [one, other] = [light(shade(getComputedStyle(own).color)), light(ground(own))].sort((a, b) => b - a);
      return {text: own.textContent.trim().slice(0, 40), ratio: (one + 0.05) / (other + 0.05)};
    });
}
"""
"""The contrast of every visible text with what is behind it, as WCAG 2 counts it."""


def pick(page, adapter):
    page.locator(f"#adapters input[value='{adapter}']").check(force=True)


def fill(page, **values):
    for name, value in values.items():
        page.locator(f"textarea[name='{name}']").fill(value)


def ask(page, adapter, **values):
    """Fills the form of an adapter, and waits for its answer."""
    pick(page, adapter)
    fill(page, **(values or FILLED[adapter]))
    page.get_by_role("button", name="Answer").click()
    page.wait_for_selector("#result:not(:empty)")


def until(page, is_so):
    """Waits; Playwright's own way of asking again and again would need `unsafe-eval`."""
    for _ in range(300):
        if is_so():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never became so")


def rows(page):
    """Texts and figures of the list of results."""
    return [
        (row.locator(".label").inner_text(), row.locator(".figure").inner_text())
        for row in page.locator("#result .ranked li").all()
    ]


def percent(share):
    return f"{100 * share:.1f} %"
