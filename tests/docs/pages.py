"""Runs the blocks of a page of the docs in order, as a reader would, and compares what they print."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

FENCE = re.compile(
    r"^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]*)\")?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
RUN = ("sh", "python")
SHOWN = ("text", "json")
LATER, NEVER = "A few minutes", "Not run by the tests: "
PATIENCE = 1500
"""Seconds of a block; the machine may be busy."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    title: str
    text: str
    line: int

    @property
    def is_file(self) -> bool:
        """Whether its title is the name of the file that it is."""
        return bool(self.title) and self.kind not in RUN

    def runs(self, *, long: bool) -> bool:
        return self.kind in RUN and not self.title.startswith(NEVER) and (long or self.title != LATER)


def read_page(text: str) -> list[Block]:
    return [
        Block(found["kind"], found["title"] or "", found["text"], text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]


class Shell:
    """One bash for all of a page, so that variables and jobs last."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        # A group of its own, so that what a page left running ends with it.
        self.process = subprocess.Popen(
            ["bash", "--norc"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input: IO[str] = self.process.stdin
        self.output: IO[str] = self.process.stdout
        self.input.write("set -o pipefail\ntrap 'failed=1' ERR\n")

    def run(self, block: Block) -> tuple[bool, str]:
        """Whether every command went well, and what was printed."""
        text = block.text
        if block.kind == "python":
            (self.folder / "block.py").write_text(text)
            text = "python block.py\n"
        self.input.write(f'failed=0\n{text}\necho "===$failed"\n')
        self.input.flush()
        killer = threading.Timer(PATIENCE, self.process.kill)
        killer.start()
        lines: list[str] = []
        try:
            for line in self.output:
                before, mark, failed = line.rpartition("===")
                if mark and failed.strip() in {"0", "1"}:
                    return failed.strip() == "0", "".join([*lines, before])
                lines.append(line)
        finally:
            killer.cancel()
        raise AssertionError(f"the shell ended at line {block.line}: {''.join(lines)}")

    def close(self) -> None:
        self.input.close()
        with_group = f"-{self.process.pid}"
        subprocess.run(["kill", "--", with_group], check=False, capture_output=True)
        self.process.wait()
        self.output.close()


@contextmanager
def reader(folder: Path, links: Sequence[tuple[str, Path]], environment: dict[str, str]) -> Iterator[Shell]:
    """A shell in a new folder with links, where `lowres-stilts` and `python` are those of this process."""
    for name, target in links:
        (folder / name).symlink_to(target)
    programs = folder.parent / f"{folder.name}-programs"
    programs.mkdir()
    call = "import sys; sys.argv[0] = 'lowres-stilts'; from lowres_stilts.cli import main; main()"
    for name, arguments in {"python": "", "lowres-stilts": f' -c "{call}"'}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{arguments} "$@"\n')
        (programs / name).chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    shell = Shell(folder, inherited | {"PATH": path, "COLUMNS": "100", **environment})
    try:
        yield shell
    finally:
        shell.close()


def follow(page: Path, shell: Shell, *, long: bool, swaps: dict[str, str]) -> int:
    """Runs a page and returns how many blocks ran.

    Args:
        page: its Markdown.
        shell: where to run it.
        long: whether to run what takes minutes, too.
        swaps: what stands in the page, and what it is in this test; put back in what is printed.
    """
    ran, printed = 0, ""
    fits = True
    blocks = read_page(page.read_text(encoding="utf-8"))
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        place = f"{page.name}:{block.line}"
        if block.is_file:
            path = shell.folder / block.title
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.runs(long=long):
            went_well, printed = shell.run(swapped(block, swaps))
            for shown, here in swaps.items():
                printed = printed.replace(here, shown)
            told = after is not None and after.kind in SHOWN and "error: " in after.text
            assert went_well is not told, f"{place}: {'did not fail' if told else 'failed'}:\n{printed}"
            ran, fits = ran + 1, True
        elif block.kind in RUN:
            fits = False
        elif block.kind in SHOWN and fits:
            assert agrees(block.text, printed), f"{place}: the page shows\n{block.text}\nbut found\n{printed}"
            fits = False
    return ran


def swapped(block: Block, swaps: dict[str, str]) -> Block:
    text = block.text
    for shown, here in swaps.items():
        text = text.replace(shown, here)
    return Block(block.kind, block.title, text, block.line)


FIGURE = re.compile(r"[-+]?\d+\.\d+")
RULE = re.compile("[─━]+")


def agrees(shown: str, printed: str) -> bool:
    """Whether what a page shows is what was printed.

    Spaces at line ends, their number within a line and the length of rules do not matter; figures with a decimal
    point may be others; `...` stands for anything, lines included.
    """
    wanted = [re.escape(part) for part in plain(shown).split("...")]
    return re.fullmatch(".*?".join(wanted), plain(printed), re.DOTALL) is not None


def plain(text: str) -> str:
    lines = [" ".join(FIGURE.sub("#", RULE.sub("─", line)).split()) for line in text.splitlines()]
    return "\n".join(line for line in lines if line)
