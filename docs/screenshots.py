"""Pictures of what comes out, wide and phone, light and dark: the playground, a report, this site.

    python docs/screenshots.py FOLDER --service http://127.0.0.1:8000 --report RUN/report.html --site build/site
    python docs/screenshots.py docs/images --shown --service http://127.0.0.1:8000 --report RUN/report.html

The second form takes only those that the docs show. It takes Playwright's Python package and a Chromium:
`$CHROMIUM`, or `chromium` on the path. The adapters of the service should be of every family.
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

SIZES = {"wide": (1440, 900), "phone": (390, 844)}
SHOWN = (1200, 760)
"""Of the pictures in the docs."""
THEMES = ("light", "dark")
LANGUAGES = {"classification": "sw", "tagging": "en", "qa": "ar", "multiple_choice": "id", "retrieval": "ur"}
"""In which language each family is asked."""
PAGES = ("index", "tutorials/train", "concepts/stacking", "reference/recipe", "limits")
"""Of the site."""
LATER = 2500
"""Milliseconds: the playground's gauges are read every two seconds."""


def main() -> None:
    """Writes `<what>-<size>-<theme>.png` for all that is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--service", metavar="ADDRESS")
    parser.add_argument("--report", metavar="FILE", type=Path)
    parser.add_argument("--site", metavar="FOLDER", type=Path)
    parser.add_argument("--shown", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        if given.shown:
            take_shown(browser, given.folder, given.service, given.report)
        else:
            take_all(browser, given.folder, given.service, given.report, given.site)
        browser.close()


def take_all(browser: Browser, folder: Path, service: str | None, report: Path | None, site: Path | None) -> None:
    """Whole pages in both sizes and themes."""
    for size, theme, page in pages(browser):
        files = {} if site is None else {f"site-{name.replace('/', '-')}": site / f"{name}.html" for name in PAGES}
        for name, file in (files | ({} if report is None else {"report": report})).items():
            page.goto(file.resolve().as_uri())
            page.wait_for_load_state("networkidle")
            page.screenshot(path=folder / f"{name}-{size}-{theme}.png", full_page=True)
        for family, adapter in families(page, service).items():
            ask(page, adapter, LANGUAGES[family])
            page.screenshot(path=folder / f"playground-{family}-{size}-{theme}.png", full_page=True)


def take_shown(browser: Browser, folder: Path, service: str | None, report: Path | None) -> None:
    """What fits on one screen, as `report.png`, `report-dark.png` and so on."""
    for theme in THEMES:
        with opened(browser, SHOWN, theme) as page:
            suffix = "" if theme == "light" else f"-{theme}"
            if report is not None:
                page.goto(report.resolve().as_uri())
                page.screenshot(path=folder / f"report{suffix}.png")
            if tagging := families(page, service).get("tagging"):
                ask(page, tagging, LANGUAGES["tagging"])
                page.screenshot(path=folder / f"playground{suffix}.png")


def pages(browser: Browser) -> Iterator[tuple[str, str, Page]]:
    """A page of each size and theme."""
    for size, pixels in SIZES.items():
        for theme in THEMES:
            with opened(browser, pixels, theme) as page:
                yield size, theme, page


@contextmanager
def opened(browser: Browser, pixels: tuple[int, int], theme: str) -> Iterator[Page]:
    """A page of this size for a reader who likes it light or dark."""
    page = browser.new_page(viewport={"width": pixels[0], "height": pixels[1]}, color_scheme=theme)
    yield page
    page.close()


def families(page: Page, address: str | None) -> dict[str, str]:
    """Of the playground: one adapter of each family; retrieval is the bare encoder's."""
    if address is None:
        return {}
    page.goto(address)
    info = page.evaluate("fetch('/info').then((answer) => answer.json())")
    page.wait_for_selector("#adapters input")
    several = len(info["bundles"]) > 1
    found = {}
    for bundle in info["bundles"]:
        found["retrieval"] = bundle["name"]
        for own in reversed(bundle["adapters"]):
            found[own["family"]] = f"{bundle['name']}/{own['name']}" if several else own["name"]
    return found


def ask(page: Page, adapter: str, language: str) -> None:
    """Presses the example of a language, and waits for the answer."""
    page.locator(f"#adapters input[value='{adapter}']").check(force=True)
    page.locator(f"#languages button[lang='{language}']").click()
    page.wait_for_selector("#result:not(:empty)")
    page.wait_for_timeout(LATER)


if __name__ == "__main__":
    main()
