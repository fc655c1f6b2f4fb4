"""The reports of the small studies in a real browser, as anybody who gets one by mail would see them."""

from pathlib import Path

import pytest

from tests.browser import open_browser, open_page

STUDIES = Path(__file__).parents[2] / "docs" / "studies"
NAMES = ["data-scale", "domain-shift", "model-scale", "multilingual", "phang2020"]
SCREENS = {
    "wide": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
UNDRAWN = """() => [...document.querySelectorAll("figure")].filter((figure) => {
    const drawn = figure.querySelector("svg, img");
    const box = drawn && drawn.getBoundingClientRect();
    return !drawn || box.width < 100 || box.height < 50 || (drawn.tagName === "IMG" && !drawn.naturalWidth);
}).length"""


@pytest.fixture(scope="module")
def browser():
    with open_browser() as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_whole_by_itself(browser, name, screen, scheme):
    address = (STUDIES / name / "report.html").as_uri()
    with open_page(browser, address, "figure", color_scheme=scheme, **SCREENS[screen]) as (page, happened):
        assert happened.faults == []
        assert happened.addresses == [address]
        assert page.locator("figure").count() >= 3
        assert page.evaluate(UNDRAWN) == 0
        assert page.evaluate("document.scrollingElement.scrollWidth") <= SCREENS[screen]["viewport"]["width"]
