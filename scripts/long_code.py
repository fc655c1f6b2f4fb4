"""Lists functions of more than 40 lines and files of more than 300, the longest first.

    python scripts/long_code.py [FOLDER ...]

Data that reads best in one place is long too: look before you split.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST_FUNCTION, LONGEST_FILE = 40, 300


def main(folders: list[str]) -> None:
    """Prints what is long."""
    files = [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
    found = sorted(found for path in files for found in [*_long_file(path), *_long_functions(path)])
    for lines, where in reversed(found):
        print(f"{lines:5} {where}")
    print(f"{len(found)} of {len(files)} files and their functions")


def _long_file(path: Path) -> Iterator[tuple[int, str]]:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > LONGEST_FILE:
        yield lines, str(path)


def _long_functions(path: Path) -> Iterator[tuple[int, str]]:
    """By the lines of their bodies: signatures and docstrings explain, and may be long."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > LONGEST_FUNCTION:
                yield lines, f"{path}:{node.lineno} {node.name}"


if __name__ == "__main__":
    main(sys.argv[1:] or ["src"])
