"""Spans, as a collector gets them."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.serving.service import service

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def collector():
    spans = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", spans
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_request_is_a_span_of_its_callers_trace(zoo, collector):
    endpoint, spans = collector
    secret = "glad sun tea"
    with service(zoo.bundle, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}) as running:
        parent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x-request-id": "mine"}
        running.post("/predict", {"inputs": secret, "adapter": "first"}, headers=parent)
        assert running.end() == 0
    (span,) = [span for span in spans if span.trace_id.hex() == TRACE]
    facts = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
    assert span.name == "POST /predict"
    assert (facts["route"], facts["status"], facts["adapter"]) == ("/predict", 200, "first")
    assert (facts["request_id"], facts["inputs"]) == ("mine", 1)
    assert span.end_time_unix_nano > span.start_time_unix_nano
    assert secret not in str(spans)


def test_without_a_collector_there_are_none(served):
    assert served.post(
        "/embed", {"inputs": "a"}, headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    ).is_success
