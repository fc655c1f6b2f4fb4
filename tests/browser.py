"""A real Chromium without a window, and what happened in its pages."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass
class Happened:
    """In a page, since it was opened."""

    faults: list[str] = field(default_factory=list)
    """Errors on the console, and those that nothing caught."""
    addresses: list[str] = field(default_factory=list)
    """Everything that was asked for."""


def chromium() -> str:
    """The path of Chromium, which is installed where there is none and apt is there."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        for command in (
            ["apt-get", "update"],
            ["apt-get", "install", "-y", "--no-install-recommends", "chromium"],
        ):
            subprocess.run(command, check=False, capture_output=True)
        found = shutil.which("chromium")
    if found is None:
        pytest.fail(
            "these tests need a Chromium: install Debian's package `chromium`, or set CHROMIUM to its path"
        )
    return found


@contextlib.contextmanager
def open_browser() -> Iterator["Browser"]:
    """Chromium, until the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def open_page(
    browser: "Browser", address: str, ready: str = "body", **context: Any
) -> Iterator[tuple["Page", Happened]]:
    """A page in a profile of its own, once it shows what a selector finds."""
    own = browser.new_context(**context)
    page, happened = own.new_page(), Happened()
    page.set_default_timeout(15_000)
    page.on("console", lambda message: happened.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: happened.faults.append(str(error)))
    page.on("request", lambda request: happened.addresses.append(request.url))
    page.goto(address)
    page.wait_for_selector(ready)
    yield page, happened
    own.close()
