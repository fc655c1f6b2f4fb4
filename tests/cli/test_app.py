import json
import signal
import subprocess
import sys
import time

import pytest

from tests.commands import ask
from tests.forks import call_forked, forked
from tests.project import write_project


def test_help_shows_commands_and_an_example():
    assert "run" in ask("--help").stdout
    for name in ("run", "score", "tasks"):
        assert f"Example: lowres-stilts {name}" in ask(name, "--help").stdout


def test_the_command_line_and_the_package_import_nothing_heavy():
    code = (
        "import sys, lowres_stilts, lowres_stilts.cli; from lowres_stilts.tasks import load; "
        "print([name for name in ('torch', 'transformers', 'peft', 'bitsandbytes') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tasks_lists_objects_with_names():
    rows = json.loads(ask("tasks", "--json").stdout)
    names = {row["name"] for row in rows}
    assert names >= {"xnli", "pawsx", "panx", "udpos", "xcopa", "tatoeba", "starter-topic", "starter-reply"}
    assert all(row["family"] and row["metric"] for row in rows)
    assert [row["name"] for row in rows if not row["languages"]] == ["mlm"]  # on text of the user's own
    assert "any language" in next(line for line in ask("tasks").stdout.splitlines() if line.startswith("mlm "))
    assert "xnli" in ask("tasks").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, "Missing argument"),
        (["run", "nothing.yaml"], 2, "error: nothing.yaml: cannot be read: No such file or directory"),
        (["run", "{recipe}", "--set", "target.tsk=mood"], 2, "target.tsk: unknown key; did you mean 'task'?"),
        (["run", "{recipe}", "--set", "target.train.epochs=none"], 2, "target.train.epochs: Input should be"),
        (["run", "{recipe}", "--set", "target.task=xnly"], 2, "unknown task 'xnly'; did you mean 'xnli'?"),
        (["run", "{recipe}", "--set", "evaluate.languages=[xx]"], 2, "unknown language 'xx'"),
        (["run", "{recipe}", "--set", "data.dir=/nowhere"], 1, "error: /nowhere: no such folder"),
        (
            ["run", "{recipe}", "--set", "model.id=/nowhere/model"],
            1,
            "model.id: the Hugging Face model /nowhere/model",
        ),
        (["run", "{recipe}", "--set", "model.quantize=nf5"], 2, "model.quantize: Input should be"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(arguments, code, message, tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path, tiny_model)
    folder = tmp_path / "run"
    filled = [argument.format(recipe=recipe) for argument in arguments]
    done = ask(*filled, *(["-o", folder] if len(filled) > 1 else []))
    assert done.returncode == code
    errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stdout == ""
    assert not list(folder.rglob("*.safetensors"))


def test_a_malformed_line_names_file_and_line_and_writes_nothing(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path, tiny_model)
    train = tmp_path / "data" / "mood-train-en.tsv"
    lines = train.read_text().splitlines()
    lines[4] = "no tab here"
    train.write_text("\n".join(lines))
    done = ask("run", recipe, "-o", tmp_path / "run")
    assert done.returncode == 1
    assert done.stderr == (f"error: {train}:5: expected 2 tab-separated columns (text, label), found 1\n")
    assert not (tmp_path / "run").exists()


def test_json_alone_goes_to_standard_output(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path, tiny_model)
    done = call_forked("run", recipe, "-o", tmp_path / "run", "--json", "--set", "evaluate.languages=[sw]")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "run" / "results.json").read_text())


def test_table_has_every_language(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path, tiny_model)
    done = ask("run", recipe, "-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    for word in ("en", "sw", "ur", "baseline", "STILTs", "gain", "mean without en", "results.json"):
        assert word in done.stdout


def test_interrupting_says_how_to_go_on(tmp_path, tiny_model, private_cache):
    recipe = write_project(tmp_path, tiny_model)
    with forked("run", recipe, "-o", tmp_path / "run", "--set", "intermediate.train.epochs=1000") as process:
        try:
            while not (tmp_path / "run" / "log.jsonl").exists():
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert errors.rstrip().endswith("stopped; go on with --resume")
