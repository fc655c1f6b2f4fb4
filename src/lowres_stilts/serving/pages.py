"""The playground: files that are read once, so that no path of a request reaches the disk."""

import mimetypes
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from lowres_stilts.serving.problems import NOT_FOUND, Refusal
from lowres_stilts.serving.routing import router

FOLDER = Path(__file__).parent / "playground"
INDEX = "index.html"
PAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/html": {"schema": {"type": "string"}},
        }
    }
}


def pages(folder: Path = FOLDER) -> APIRouter:
    """Routes to the files of a folder; the page itself is at `/`."""
    files = {
        path.relative_to(folder).as_posix(): (path.read_bytes(), mimetypes.guess_type(path.name)[0])
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    routes = router()

    @routes.get("/", tags=["service"], response_class=Response, responses=PAGE)
    async def page(request: Request) -> Response:
        """The playground."""
        return _file(*files[INDEX])

    @routes.get("/playground/{name:path}", include_in_schema=False)
    async def file(request: Request) -> Response:
        """What the page needs."""
        name = request.path_params["name"] or INDEX
        if name not in files:
            raise Refusal(NOT_FOUND, "there is no such page")
        return _file(*files[name])

    return routes


def _file(content: bytes, kind: str | None) -> Response:
    return Response(content, media_type=kind or "application/octet-stream", headers={"Cache-Control": "no-cache"})
