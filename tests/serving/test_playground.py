"""The playground in a real browser over a real service."""

import re
from functools import partial

import pytest

from lowres_stilts.serving.keys import add_key
from tests.browser import open_browser, open_page
from tests.serving.playground_page import CONTRAST, FILLED, ask, fill, percent, pick, rows, until
from tests.serving.service import service

pytestmark = pytest.mark.slow
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
HOSTILE = "<img src=x onerror=window.hacked=1>"
open_playground = partial(open_page, ready="#adapters input, #problem:not([hidden])")
ARABIC = "انتقلت ليلى إلى بيروت"


@pytest.fixture(scope="module")
def address(served):
    return served.url


@pytest.fixture(scope="module")
def browser():
    with open_browser() as found:
        yield found


@pytest.fixture
def page(browser, address):
    """The playground in a wide window; nothing may go wrong in it, and nothing may be asked of others."""
    with open_playground(browser, address, viewport={"width": 1440, "height": 900}) as (page, happened):
        yield page
        assert happened.faults == []
        assert {url for url in happened.addresses if not url.startswith(f"{address}/")} == set()


@pytest.mark.parametrize("adapter", ["first", "second-intermediate"])
def test_labels_are_shown_with_their_probabilities(page, served, adapter):
    ask(page, adapter)
    inputs = list(FILLED[adapter].values())
    [expected] = served.post("/predict", {"model": adapter, "inputs": [inputs]}).json()
    assert rows(page) == [(item["label"], percent(item["score"])) for item in expected]
    assert expected[0]["label"] in page.locator("#summary").inner_text()
    track, fill = (page.locator(f"#result .best {part}").bounding_box()["width"] for part in (".track", ".fill"))
    assert fill / track == pytest.approx(expected[0]["score"], abs=0.02)


def test_entities_are_marked_where_they_are(page, served):
    ask(page, "first-intermediate-tags")
    text = FILLED["first-intermediate-tags"]["text"]
    expected = served.post("/token-classification", {"model": "first-intermediate-tags", "inputs": text}).json()
    assert expected, "the tiny model finds nothing to mark"
    marks = [mark.locator("bdi").inner_text() for mark in page.locator("#result mark").all()]
    assert marks == [item["word"] for item in expected]
    assert marks == [text[item["start"] : item["end"]] for item in expected]
    tags = [tag.inner_text() for tag in page.locator("#result .tag").all()]
    assert tags == [item["entity_group"] for item in expected]


def test_an_answer_is_marked_in_its_context(page, served):
    ask(page, "second")
    expected = served.post("/question-answering", {"model": "second", "inputs": FILLED["second"]}).json()
    assert page.locator("#result mark bdi").all_inner_texts() == [expected["answer"]]
    assert page.locator("#result .reading").inner_text() == FILLED["second"]["context"]
    assert page.locator("#result .figure").inner_text() == percent(expected["score"])


def test_choices_are_ranked(page, served):
    ask(page, "first-intermediate-choice")
    choices = FILLED["first-intermediate-choice"]["choices"].split("\n")
    body = {"model": "first-intermediate-choice", "inputs": {"prompt": "quiet", "choices": choices}}
    expected = served.post("/multiple-choice", body).json()
    ranked = sorted(zip(choices, expected["scores"], strict=True), key=lambda item: -item[1])
    assert rows(page) == [(choice, percent(score)) for choice, score in ranked]
    assert ranked[0][0] == expected["choice"]


def test_matches_are_ranked(page, served):
    ask(page, "bundle")
    texts = FILLED["bundle"]["texts"].split("\n")
    expected = served.post("/rerank", {"query": "glad", "texts": texts}).json()
    assert rows(page) == [(texts[item["index"]], f"{item['score']:.3f}") for item in expected]


@pytest.mark.parametrize("adapter", FILLED)
@pytest.mark.parametrize("language", ["sw", "ur", "zh"])
def test_a_language_fills_the_form_and_asks(page, adapter, language):
    pick(page, adapter)
    button = page.locator(f"#languages button[lang='{language}']")
    button.click()
    page.wait_for_selector("#result:not(:empty)")
    first = page.locator("#fields textarea").first
    assert first.get_attribute("lang") == language
    before = first.input_value()
    button.click()
    until(page, lambda: first.input_value() != before)


def test_everything_can_be_done_with_the_keyboard(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "ask"
    page.locator("body").press("Home")
    focused = "document.activeElement.value ?? document.activeElement.textContent.trim()"
    page.locator("#adapters input").first.focus()
    seen = []
    for _ in FILLED:
        seen.append(page.evaluate(focused))
        page.keyboard.press("ArrowDown")
    assert len(set(seen)) == len(FILLED)  # the arrows walk through all adapters and around
    while page.evaluate(focused) != "first":
        page.keyboard.press("ArrowDown")
    while page.evaluate("document.activeElement.name ?? ''") != "text":
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.type("glad sun")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#result:not(:empty)")
    assert len(rows(page)) > 1


def test_every_control_has_a_name_and_answers_are_read_aloud(page):
    for adapter in FILLED:
        pick(page, adapter)
        unnamed = "[...document.querySelectorAll('textarea, input')].filter((own) => !own.labels.length).length"
        assert page.evaluate(unnamed) == 0
        assert [own for own in page.locator("button:visible").all() if not own.inner_text().strip()] == []
    assert page.locator("#summary").get_attribute("aria-live") == "polite"
    assert page.locator("#problem").get_attribute("role") == "alert"


@pytest.mark.parametrize("adapter", FILLED)
def test_it_fits_a_phone(browser, address, adapter):
    with open_playground(browser, address, **PHONE) as (page, happened):
        ask(page, adapter)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
        until(
            page,
            lambda: page.evaluate("document.getElementById('summary').getBoundingClientRect().top < innerHeight"),
        )
        for button in page.locator("button:visible").all():
            assert button.bounding_box()["height"] >= 40, button.inner_text()
        assert page.locator("textarea").first.evaluate("(own) => parseFloat(getComputedStyle(own).fontSize)") >= 16
        assert happened.faults == []


def test_text_runs_from_right_to_left_where_it_should(page):
    direction = "(own) => getComputedStyle(own).direction"
    ask(page, "second", question="أين ليلى؟", context=ARABIC)
    for selector in ("textarea[name='question']", "textarea[name='context']", "#result .reading"):
        assert page.locator(selector).evaluate(direction) == "rtl"
    ask(page, "first-intermediate-tags", text=ARABIC)
    assert page.locator("#result .reading").evaluate(direction) == "rtl"  # though all of it stands in marks
    ask(page, "bundle", query="glad", texts=f"{ARABIC}\nglad sun")
    assert {
        text: page.locator("#result .label", has_text=text).evaluate(direction) for text in (ARABIC, "glad sun")
    } == {
        ARABIC: "rtl",
        "glad sun": "ltr",
    }
    assert page.locator("html").evaluate(direction) == "ltr"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("adapter", FILLED)
def test_text_stands_out_in_light_and_dark(browser, address, scheme, adapter):
    with open_playground(browser, address, color_scheme=scheme) as (page, _):
        ask(page, adapter)
        page.wait_for_timeout(400)  # until bars have their length
        ratios = page.evaluate(CONTRAST)
        assert len(ratios) > 20
        assert [item for item in ratios if item["ratio"] < 4.5] == []
        red, green, blue = (
            int(value)
            for value in re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]
        )
        assert (red + green + blue < 300) == (scheme == "dark")


def test_a_chosen_theme_stays(browser, address):
    with open_playground(browser, address, color_scheme="light") as (page, _):
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        button = page.locator("#theme")
        button.click()
        assert page.evaluate(ground) == light
        button.click()
        dark = page.evaluate(ground)
        assert dark != light
        page.reload()
        assert page.evaluate(ground) == dark
        assert "dark" in button.inner_text()


@pytest.mark.parametrize("adapter", FILLED)
def test_hostile_text_is_text(page, adapter):
    several = {"choices", "texts"}
    ask(
        page,
        adapter,
        **{name: f"{HOSTILE}\n{HOSTILE}" if name in several else HOSTILE for name in FILLED[adapter]},
    )
    page.locator("#request summary").click()
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img").count() == 0
    assert "onerror" in page.locator("#curl").inner_text()


def test_throughput_is_shown(page):
    ask(page, "first")
    page.get_by_role("button", name="Send it 100 times").click()
    until(page, lambda: "requests" in page.locator("#measured").inner_text())
    said = page.locator("#measured").inner_text()
    rate, middle, slowest = (float(value) for value in re.findall(r"([\d.]+) (?:requests|ms)", said))
    assert rate > 0
    assert 0 < middle <= slowest
    until(
        page,
        lambda: all(figure not in {"–", "0", "0.0"} for figure in page.locator("#gauges dd").all_inner_texts()),
    )


def test_faults_are_told_in_words(browser, address):
    with open_playground(browser, address) as (page, _):
        problem = page.locator("#problem")
        pick(page, "first")
        fill(page, text="glad " * 20_000)
        page.locator("#go").click()
        problem.wait_for(state="visible")
        assert "more text than the service takes" in problem.inner_text()
        fill(page, text="glad")
        page.locator("#go").click()
        page.wait_for_selector("#result:not(:empty)")
        assert not problem.is_visible()
        page.context.set_offline(True)
        page.locator("#go").click()
        problem.wait_for(state="visible")
        assert "cannot be reached" in problem.inner_text()


def test_a_key_opens_a_locked_service(browser, zoo, tmp_path):
    keys = tmp_path / "keys.yaml"
    key = add_key(keys, "somebody")
    with (
        service(zoo.bundle, "--keys", keys) as locked,
        open_playground(browser, locked.url) as (page, _),
    ):
        assert "wants an API key" in page.locator("#problem").inner_text()
        assert page.evaluate("document.activeElement.id") == "key"
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        until(page, lambda: page.locator("#key").is_visible())
        page.locator("#key").fill(key)
        page.keyboard.press("Enter")
        page.wait_for_selector("#adapters input")
        ask(page, "first")
        assert not page.locator("#problem").is_visible()
        assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_an_empty_field_is_asked_for(page):
    pick(page, "first")
    page.locator("#go").click()
    assert page.evaluate("document.activeElement.name") == "text"
    assert page.locator("#result").inner_text() == ""
