import asyncio

import httpx
import pytest
from fastapi import FastAPI

from lowres_stilts.serving.pages import pages
from lowres_stilts.serving.service import Note


@pytest.fixture
def ask(tmp_path):
    """Over a folder with a page; the folder is gone when it is asked."""
    (tmp_path / "site" / "parts").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text("<p>page</p>")
    (tmp_path / "site" / "parts" / "look.css").write_text("p {}")
    (tmp_path / "secret.txt").write_text("secret")
    app = FastAPI()
    app.router.routes.extend(pages(tmp_path / "site").routes)
    (tmp_path / "site" / "parts" / "look.css").unlink()

    async def noted(scope, receive, send):
        scope["note"] = Note("id", "GET", "client")
        await app(scope, receive, send)

    def asked(path):
        async def get():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(noted), base_url="http://x") as client:
                return await client.get(path)

        return asyncio.run(get())

    return asked


def test_the_page_and_its_parts(ask):
    for path in ("/", "/playground/", "/playground/index.html"):
        assert (ask(path).text, ask(path).headers["content-type"]) == ("<p>page</p>", "text/html; charset=utf-8")
    style = ask("/playground/parts/look.css")
    assert (style.text, style.headers["content-type"]) == ("p {}", "text/css; charset=utf-8")


@pytest.mark.parametrize(
    "path", ["../secret.txt", "..%2fsecret.txt", "parts/../../secret.txt", "parts", "nothing"]
)
def test_nothing_else(ask, path):
    assert ask(f"/playground/{path}").status_code == 404
