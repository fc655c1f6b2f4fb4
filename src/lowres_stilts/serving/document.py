"""The OpenAPI document."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

from lowres_stilts.serving.routing import json
from lowres_stilts.serving.service import Service

DESCRIPTION = "Labels, tags, answers and vectors from one multilingual encoder and many adapters."
OPEN = {("/health", "get"), ("/", "get")}
METRICS = ("/metrics", "get")
BEARER = {"type": "http", "scheme": "bearer", "description": "Where the operator has given out keys."}


class Document:
    """Written when it is first asked for, as it names what the bundles are like."""

    def __init__(self, app: FastAPI, service: Service, *, has_keys: bool) -> None:
        self._app = app
        self._service = service
        self._has_keys = has_keys
        self._written: Response | None = None

    async def answer(self, request: Request) -> Response:
        """The document."""
        request.scope["note"].route = "/openapi.json"
        if self._written is None:
            self._written = json(self.write())
        return self._written

    def write(self) -> dict[str, Any]:
        """As JSON can have it."""
        document = get_openapi(
            title=self._app.title,
            version=self._app.version,
            description=self._app.description,
            routes=self._app.routes,
        )
        schemas = document["components"]["schemas"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for body in ("EmbedRequest", "OpenAIEmbeddingsRequest"):
            self._name_widths(schemas[body]["properties"]["dimensions"])
        document["components"]["securitySchemes"] = {"key": BEARER}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                self._complete(path, method, operation)
        return document

    def _complete(self, path: str, method: str, operation: dict[str, Any]) -> None:
        public = OPEN | ({METRICS} if self._service.settings.open_metrics else set())
        is_open = (path, method) in public if self._has_keys else not path.startswith("/admin/")
        operation["security"] = [] if is_open else [{"key": []}]
        responses = operation["responses"]
        if operation["security"] == []:
            responses.pop("401", None)
        if not operation.get("requestBody") and not operation.get("parameters"):
            for status in ("400", "404", "413", "415", "422"):
                responses.pop(status, None)

    def _name_widths(self, dimensions: dict[str, Any]) -> None:
        """The only values that are accepted."""
        shelves = self._service.open.catalog.shelves.values()
        widths = sorted({shelf.bundle.manifest.base.hidden for shelf in shelves})
        dimensions["anyOf"] = [{"type": "integer", "enum": widths}, {"type": "null"}]
