"""What scripts that write a page of the docs share."""

from pathlib import Path


def settle(page: Path, text: str, *, check: bool) -> int:
    """Writes a page; or, to check, says by the exit code 1 that it would be another."""
    if check:
        return 0 if page.read_text(encoding="utf-8") == text else 1
    page.write_text(text, encoding="utf-8")
    return 0
