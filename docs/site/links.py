"""Makes pages of files outside `docs/` that pages link to, so that a link works on the site as in a clone.

A Markdown file becomes a page as it is, any other file a page with its text; they lie under `repository/`.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PLACE = "repository/"
LINK = re.compile(r"(\]\()([^)\s#:]+)([)#\s])")
ALWAYS = ["CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/RESULTS.md"]
"""In the navigation, whether or not a page links to them."""
KINDS = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".sh": "sh"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for every file of the repository that can be reached from a page."""
    waiting = [*ALWAYS, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if not path.startswith("docs/"):
            files.append(File.generated(config, page_of(path), content=text_of(path)))
        if path.endswith(".md"):
            text = (ROOT / path).read_text(encoding="utf-8")
            waiting += [found for match in LINK.finditer(text) if (found := outside(path, match[2]))]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Points links at the pages of `on_files`."""
    own = page.file.src_uri
    source = own.removeprefix(PLACE) if own.startswith(PLACE) else f"docs/{own}"

    def pointed(match: re.Match[str]) -> str:
        target = resolved(source, match[2])
        if target is None:
            return match[0]
        return f"{match[1]}{posixpath.relpath(page_of(target), posixpath.dirname(own))}{match[3]}"

    return LINK.sub(pointed, markdown)


def outside(source: str, link: str) -> str | None:
    """The file that a link of a source file names, if it lies outside `docs/`."""
    target = resolved(source, link)
    return None if target is None or target.startswith("docs/") else target


def resolved(source: str, link: str) -> str | None:
    """The path in the repository that a link names, if there is such a file."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    return path if not path.startswith("..") and (ROOT / path).is_file() else None


def page_of(path: str) -> str:
    """Where the page or file of a path of the repository lies on the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return PLACE + (path if path.endswith(".md") else f"{path}.md")


def text_of(path: str) -> str:
    """The Markdown of a file of the repository."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    kind = KINDS.get(Path(path).suffix, "text")
    return f"---\nsearch: {{exclude: true}}\n---\n\n# {path}\n\n````{kind}\n{text}````\n"
