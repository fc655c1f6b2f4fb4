"""OpenTelemetry spans of requests, where they are configured; its own variables (`OTEL_...`) say where they go."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from lowres_stilts import __version__
from lowres_stilts.errors import ServiceError
from lowres_stilts.extras import install_command


class Tracing(Protocol):
    """Who is told of requests."""

    def request(self, headers: Mapping[str, str], facts: Mapping[str, Any]) -> Any:
        """A context manager around a request; `facts` are read when it ends."""
        ...

    def close(self) -> None:
        """Sends what is left."""
        ...


class OpenTelemetry:
    """Sends a span for each request, as part of the caller's trace if there is one."""

    def __init__(self) -> None:
        try:
            from opentelemetry import propagate, trace  # noqa: PLC0415
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError as error:
            raise ServiceError(f"tracing: {error.name} is not installed; {install_command('serve')}") from None
        resource = Resource.create({"service.name": "lowres-stilts", "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("lowres_stilts.serving")
        self._extract = propagate.extract
        self._kind = trace.SpanKind.SERVER

    @contextmanager
    def request(self, headers: Mapping[str, str], facts: Mapping[str, Any]) -> Iterator[None]:
        """A span; the facts become its attributes."""
        context = self._extract(dict(headers))
        with self._tracer.start_as_current_span(
            "request", context, self._kind, record_exception=False, set_status_on_exception=False
        ) as span:
            yield
            span.update_name(
                f"POST {facts.get('route')}" if facts.get("method") == "POST" else str(facts.get("route"))
            )
            span.set_attributes({key: value for key, value in facts.items() if value is not None})

    def close(self) -> None:
        """Sends what is left."""
        self._provider.shutdown()
