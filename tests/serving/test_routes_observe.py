import re
import time

from prometheus_client.parser import text_string_to_metric_families

from tests.serving.service import service


def samples(running):
    families = text_string_to_metric_families(running.get("/metrics").text)
    return {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}


def value(found, name, **labels):
    return found.get((f"lowres_stilts_{name}", *sorted(labels.items())), 0.0)


def test_info_has_teis_fields_and_the_bundles(served, bundle):
    found = served.get("/info").json()
    assert found["model_id"] == bundle.manifest.base.id
    assert found["model_type"] == {"embedding": {"pooling": "cls"}}
    assert found["max_input_length"] == bundle.manifest.embedding.max_length
    (own,) = found["bundles"]
    assert (own["name"], own["base"], own["quantize"]) == ("bundle", bundle.manifest.base.id, "none")
    adapters = {one["name"]: one for one in own["adapters"]}
    assert set(adapters) == set(bundle.adapters)
    assert adapters["first"]["labels"] == ["glad", "sad", "calm"]
    assert adapters["second"]["family"] == "qa"


def test_metrics_count_requests_tokens_and_adapters(served, bundle):
    before = samples(served)
    served.post("/embed", {"inputs": ["glad sun", "sad"]})
    served.post("/predict", {"inputs": "glad", "adapter": "first"})
    served.post("/predict", {"inputs": 1})
    after = samples(served)

    def grown(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("requests_total", route="/embed", status="200") == 1
    assert grown("requests_total", route="/predict", status="422") == 1
    assert grown("request_seconds_count", route="/embed") == 1
    assert grown("adapter_requests_total", adapter="first") == 1
    rows = [*bundle.prepare_texts(["glad sun", "sad"]), *bundle.prepare(["glad"], "first")[0].rows]
    assert grown("tokens_total") == sum(len(row.ids) for row in rows)
    assert grown("batch_sequences_sum") == 3
    assert grown("runs_total") >= 2
    assert grown("batch_fill_count") == grown("runs_total") == grown("run_seconds_count")
    assert value(after, "ready_workers") == 1
    assert value(after, "adapters_loaded") == 6
    assert value(after, "queue_sequences") == 0


def test_labels_cannot_be_chosen_by_requests(served):
    for number in range(20):
        served.get(f"/nowhere-{number}")
        served.post("/embed", {"inputs": "a", "adapter": f"nobody-{number}"})
        served.get("/", headers={"x-request-id": f"id-{number}"})
    text = served.get("/metrics").text
    assert not re.search("nowhere|nobody|id-1", text)
    assert value(samples(served), "requests_total", route="none", status="404") >= 20


def test_health_says_whether_requests_are_answered(served):
    assert served.get("/health").json() == {"status": "ok"}


def test_logs_say_everything_but_the_text(served):
    secret = "glad sun tea quiet"
    answer = served.post(
        "/predict",
        {"inputs": secret, "adapter": "first"},
        headers={"x-request-id": "find-me", "authorization": "K"},
    )
    assert answer.headers["x-request-id"] == "find-me"
    served.post("/predict", {"inputs": secret, "nope": secret}, headers={"x-request-id": "find-me-too"})
    time.sleep(0.1)
    (line,) = [line for line in served.lines() if line.get("request_id") == "find-me"]
    assert line["event"] == "request"
    assert (line["method"], line["route"], line["status"]) == ("POST", "/predict", 200)
    assert (line["adapter"], line["inputs"], line["client"]) == ("first", 1, "127.0.0.1")
    assert line["tokens"] > 2
    assert 0 < line["ms"] < 60_000
    assert [line["status"] for line in served.lines() if line.get("request_id") == "find-me-too"] == [422]
    assert secret not in served.log.read_text()


def test_headers_are_safe(served):
    answer = served.post("/embed", {"inputs": "a"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    assert (
        "access-control-allow-origin" not in served.get("/info", headers={"origin": "https://a.example"}).headers
    )
    assert "default-src 'self'" in served.get("/").headers["content-security-policy"]


def test_other_origins_if_they_are_named(zoo):
    with service(zoo.bundle, cors_origins=["https://a.example"], log_requests=False) as running:
        found = running.post("/embed", {"inputs": "a"}, headers={"origin": "https://a.example"})
        assert found.headers["access-control-allow-origin"] == "https://a.example"
        other = running.post("/embed", {"inputs": "a"}, headers={"origin": "https://b.example"})
        assert "access-control-allow-origin" not in other.headers
        assert not [line for line in running.lines() if line["event"] == "request"]
