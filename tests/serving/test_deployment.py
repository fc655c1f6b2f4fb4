"""What stands in `export/`, as far as it can be checked without a container: the files agree with the service."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import kubernetes_validate
import pytest
import typer.main
import yaml

from lowres_stilts.cli.app import app
from lowres_stilts.runtime.manifest import Manifest
from lowres_stilts.serving.settings import Settings, read_settings
from tests.conftest import ROOT

FOLDER = ROOT / "export"
KUBERNETES = FOLDER / "kubernetes"
PORT = 8000
CONFIGS = [FOLDER / "service.yaml", KUBERNETES / "settings.yaml"]
OWN = re.compile(r"lowres_stilts_[a-z_]+")
LABELS = re.compile(r"(?:by \(|[{,]\s*)([a-z_]+)(?=\)|[=!~])")
SUFFIXES = ("_bucket", "_sum", "_count")


def read(path):
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def dockerfile(instruction):
    """The JSON of the last one of an instruction."""
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    return json.loads(re.findall(rf"^\s*{instruction} (\[.*\])$", text, re.MULTILINE)[-1])


COMPOSE = read(FOLDER / "compose.yaml")[0]
DEPLOYMENT = read(KUBERNETES / "deployment.yaml")[0]
POD = DEPLOYMENT["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
UNIT = (FOLDER / "systemd" / "lowres-stilts.service").read_text(encoding="utf-8")
EXEC = shlex.split(re.search(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)[1])
COMMANDS = {
    "Dockerfile": [*dockerfile("ENTRYPOINT"), *dockerfile("CMD")],
    "compose": [*dockerfile("ENTRYPOINT"), *COMPOSE["services"]["service"]["command"]],
    "kubernetes": [*dockerfile("ENTRYPOINT"), *CONTAINER["args"]],
    "systemd": [Path(EXEC[0]).name, *EXEC[1:]],
}


@pytest.mark.parametrize("where", COMMANDS)
def test_command_lines_are_those_of_the_command(where):
    name, command, *arguments = COMMANDS[where]
    assert name == "lowres-stilts"
    own = typer.main.get_command(app).commands[command]
    given = own.make_context(command, list(arguments)).params  # a wrong option ends it here
    assert given["port"] == PORT
    assert len(given["bundles"]) == 1


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_settings_are_those_of_the_service(path):
    assert read_settings(path, {"bundles": [Path("bundle")]}).bundles == [Path("bundle")]


def test_what_the_examples_leave_open_are_settings_too():
    comments = re.findall(r"^# (\w+): (\S+)", CONFIGS[0].read_text(encoding="utf-8"), re.MULTILINE)
    assert {key for key, _ in comments} == {"keys", "adapters"}
    assert Settings.model_validate({"bundles": ["bundle"], **dict(comments)})


def test_there_is_time_to_drain():
    def needed(path):
        settings = read_settings(path, {"bundles": [Path("bundle")]})
        return settings.drain_seconds + settings.linger_seconds

    beside, cluster = (needed(path) for path in CONFIGS)
    assert int(COMPOSE["services"]["service"]["stop_grace_period"].removesuffix("s")) > beside
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[1]) > beside
    assert POD["terminationGracePeriodSeconds"] > cluster


def test_ports_agree():
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    assert f"EXPOSE {PORT}" in text
    assert f"127.0.0.1:{PORT}/health" in " ".join(dockerfile("CMD")[-1:] + re.findall(r"urlopen\('(.*?)'", text))
    assert COMPOSE["services"]["service"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    [scraped] = read(FOLDER / "prometheus" / "prometheus.yml")[0]["scrape_configs"]
    assert scraped["static_configs"] == [{"targets": [f"service:{PORT}"]}]
    [port] = CONTAINER["ports"]
    assert port == {"name": "http", "containerPort": PORT}
    for probe in ("startupProbe", "readinessProbe"):
        assert CONTAINER[probe]["httpGet"] == {"path": "/health", "port": "http"}
    assert DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(PORT)


def test_the_health_check_tells_a_service_that_answers_from_none(served):
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    check = json.loads(re.search(r"HEALTHCHECK.*?CMD (\[.*?\])$", text, re.DOTALL | re.MULTILINE)[1])
    assert check[:2] == ["python", "-c"]

    def status(where):
        script = check[2].replace(f"http://127.0.0.1:{PORT}", where)
        assert script != check[2]
        return subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode

    assert status(served.url) == 0
    assert status("http://127.0.0.1:9") != 0


def test_the_image_has_neither_root_nor_torch():
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    last = text.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "pip install" not in last
    assert re.findall(r"pip install .*'\.\[(.*?)\]'", text) == ["serve"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = " ".join([*project["dependencies"], *project["optional-dependencies"]["serve"]])
    assert not re.search(r"\b(torch|transformers|lowres-stilts)\b", wanted)
    kept = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = {
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for name in line.split()
    }
    assert copied == {name[1:] for name in kept if name.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)


def test_onnxruntime_tells_nobody():
    assert "ORT_DISABLE_TELEMETRY=1" in (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    assert "ORT_DISABLE_TELEMETRY=1" in UNIT


def test_the_container_may_do_nothing_but_serve():
    own = CONTAINER["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["automountServiceAccountToken"] is False
    assert {"cpu", "memory"} <= set(CONTAINER["resources"]["limits"])
    service = COMPOSE["services"]["service"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for one in COMPOSE["services"].values() for port in one["ports"])


NOT_SENT = {KUBERNETES / "kustomization.yaml", KUBERNETES / "settings.yaml"}
"""Kustomize makes manifests of these."""


@pytest.mark.parametrize("path", sorted({*KUBERNETES.glob("*.yaml")} - NOT_SENT), ids=lambda path: path.name)
def test_manifests_are_what_kubernetes_takes(path):
    for manifest in read(path):
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_kustomize_knows_every_manifest():
    [own] = read(KUBERNETES / "kustomization.yaml")
    manifests = {path.name for path in {*KUBERNETES.glob("*.yaml")} - NOT_SENT}
    assert set(own["resources"]) == manifests
    [generated] = own["configMapGenerator"]
    name, _, source = generated["files"][0].partition("=")
    assert (KUBERNETES / source).is_file()
    [mounted] = [volume["configMap"]["name"] for volume in POD["volumes"] if "configMap" in volume]
    assert mounted == generated["name"]
    assert f"/etc/lowres-stilts/{name}" in CONTAINER["args"]


def test_manifests_select_the_pods():
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    selectors = [
        DEPLOYMENT["spec"]["selector"]["matchLabels"],
        read(KUBERNETES / "service.yaml")[0]["spec"]["selector"],
        read(KUBERNETES / "disruption.yaml")[0]["spec"]["selector"]["matchLabels"],
        read(KUBERNETES / "network.yaml")[0]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector == labels for selector in selectors)
    [scaled] = read(KUBERNETES / "autoscaler.yaml")
    assert scaled["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]
    assert {volume["name"] for volume in POD["volumes"]} == {mount["name"] for mount in CONTAINER["volumeMounts"]}


def exposed(served):
    """Names and labels of what the service tells Prometheus after some requests."""
    served.post("/token-classification", {"model": "first-intermediate-tags", "inputs": "glad sun"})
    text = served.get("/metrics").text
    labels = {label for group in re.findall(r"\{(.*?)\}", text) for label in re.findall(r"(\w+)=", group)}
    names = set(re.findall(r"^(lowres_stilts_\w+)", text, re.MULTILINE))
    return names | {name.removesuffix(end) for name in names for end in SUFFIXES}, labels


def queries():
    """Everything that is asked of Prometheus, by where it stands."""
    dashboard = json.loads((FOLDER / "grafana" / "dashboards" / "lowres-stilts.json").read_text(encoding="utf-8"))
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    groups = read(FOLDER / "prometheus" / "alerts.yml")[0]["groups"]
    rules = [rule["expr"] for group in groups for rule in group["rules"]]
    page = (ROOT / "src/lowres_stilts/serving/playground/throughput.js").read_text(encoding="utf-8")
    metrics = read(KUBERNETES / "autoscaler.yaml")[0]["spec"]["metrics"]
    scaler = (KUBERNETES / "autoscaler.yaml").read_text(encoding="utf-8")
    return {
        "dashboard": panels,
        "alerts": rules,
        "page": re.findall(r'"(lowres_stilts_\w+)"', page),
        "autoscaler": [own["pods"]["metric"]["name"] for own in metrics] + re.findall(r"'(lowres_\w+)\{", scaler),
    }


@pytest.mark.parametrize("where", queries())
def test_queries_name_only_metrics_that_there_are(served, where):
    names, labels = exposed(served)
    found = queries()[where]
    assert found
    for query in found:
        assert OWN.findall(query), query
        assert set(OWN.findall(query)) <= names, query
        if where in {"dashboard", "alerts"}:
            assert set(LABELS.findall(query)) <= labels, query


def test_the_dashboard_shows_what_an_operator_looks_for():
    [*panels] = queries()["dashboard"]
    shown = set(OWN.findall(" ".join(panels)))
    for name in ("requests_total", "request_seconds_bucket", "queue_sequences", "batch_fill_sum", "tokens_total"):
        assert f"lowres_stilts_{name}" in shown
    assert "lowres_stilts_padding_tokens_total" in shown
    assert "lowres_stilts_adapter_requests_total" in shown


def test_grafana_finds_its_dashboard_and_its_data():
    dashboard = json.loads((FOLDER / "grafana" / "dashboards" / "lowres-stilts.json").read_text(encoding="utf-8"))
    provisioning = FOLDER / "grafana" / "provisioning"
    [source] = read(provisioning / "datasources" / "prometheus.yaml")[0]["datasources"]
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    [provider] = read(provisioning / "dashboards" / "lowres-stilts.yaml")[0]["providers"]
    grafana = COMPOSE["services"]["grafana"]
    mounted = [volume.split(":")[1] for volume in grafana["volumes"]]
    assert provider["options"]["path"] in mounted
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].startswith(
        provider["options"]["path"]
    )
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_example_of_a_bundle_is_one():
    text = (FOLDER / "bundle.example.json").read_text(encoding="utf-8")
    assert [part.name for part in Manifest.model_validate_json(text).adapters] == ["xnli-small", "panx-small"]


def run(command, address, **variables):
    environment = {"PATH": "/usr/bin:/bin", "SERVICE": address, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_the_example_for_curl_runs(served):
    done = run(
        ["sh", FOLDER / "clients" / "curl.sh"], served.url, CLASSIFIER="second-intermediate", READER="second",
        TAGGER="first-intermediate-tags", CHOOSER="first-intermediate-choice",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    health, vectors, ranked, labels, _tags, answer, choice = (
        json.loads(line) for line in done.stdout.splitlines()
    )
    assert health == {"status": "ok"}
    assert len(vectors) == 2
    assert len(ranked) == 2
    assert "label" in labels[0][0]
    assert "answer" in answer
    assert "choice" in choice


@pytest.mark.parametrize("name", ["openai_embeddings.py", "hub_client.py"])
def test_the_examples_in_python_run(served, name):
    done = run([sys.executable, FOLDER / "clients" / name], served.url, PYTHONPATH=":".join(sys.path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
