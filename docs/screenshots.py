"""Pictures of the playground of a running service: every family, wide and phone, light and dark.

    python docs/screenshots.py http://127.0.0.1:8000 FOLDER

It takes Playwright's Python package and a Chromium: `$CHROMIUM`, or `chromium` on the path.
"""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

SIZES = {"wide": (1440, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
LANGUAGES = {"classification": "sw", "tagging": "en", "qa": "ar", "multiple_choice": "id", "retrieval": "ur"}
"""In which language each family is asked."""


def main(address: str, folder: Path) -> None:
    """Writes `<size>-<theme>-<family>.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for size, (width, height) in SIZES.items():
            for theme in THEMES:
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
                for family, adapter in families(page, address).items():
                    ask(page, adapter, LANGUAGES[family])
                    page.screenshot(path=folder / f"{size}-{theme}-{family}.png", full_page=True)
                page.close()
        browser.close()


def families(page: Page, address: str) -> dict[str, str]:
    """One adapter of each family; retrieval is the bare encoder's."""
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
    page.wait_for_timeout(2500)  # the gauges are read every two seconds


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
