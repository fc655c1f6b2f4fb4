import pytest

from lowres_stilts.errors import UsageError
from lowres_stilts.serving.settings import Settings, read_settings


def test_options_go_before_the_file(tmp_path):
    path = tmp_path / "service.yaml"
    path.write_text("port: 9000\nhost: 0.0.0.0\nlimits: {inputs: 8}\nqueue: {runs: 1}\n")
    settings = read_settings(path, {"bundles": [tmp_path], "port": 9001})
    assert (settings.port, settings.host) == (9001, "0.0.0.0")
    assert (settings.limits.inputs, settings.queue.runs) == (8, 1)
    assert settings.limits.headers == Settings(bundles=[tmp_path]).limits.headers


def test_defaults_are_safe(tmp_path):
    settings = Settings(bundles=[tmp_path])
    assert settings.host == "127.0.0.1"
    assert settings.admin_keys is None
    assert settings.cors_origins == ()
    assert not settings.hub


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot: 1", r"service\.yaml: prot: Extra"),
        ("port: 70000", r"service\.yaml: port: "),
        ("limits: {inputs: 0}", r"limits\.inputs: "),
        ("queue: {client_share: .nan}", r"queue\.client_share: "),
        ("hub: true", "hub: needs adapters"),
        ("- 1", "expected keys and values"),
        ("a: [", "cannot be read"),
    ],
)
def test_wrong_keys_and_values_are_named(tmp_path, text, message):
    path = tmp_path / "service.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_settings(path, {"bundles": [tmp_path]})


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(tmp_path / "nowhere.yaml", {"bundles": [tmp_path]})
