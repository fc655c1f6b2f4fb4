import json

import pytest

from lowres_stilts.runtime import Bundle
from tests.commands import ask

pytestmark = pytest.mark.usefixtures("private_cache")


def export(*arguments):
    """Exit code, output and errors."""
    done = ask("export", *arguments)
    return done.returncode, done.stdout, done.stderr


def test_help_has_an_example():
    done = ask("export", "--help")
    assert "Example: lowres-stilts export adapters/xnli-small" in done.stdout
    assert "server-cpu" in done.stdout


WRONG = {
    "no place": (["-o", "{new}"], 2, "Missing argument"),
    "no output": (["{package}"], 2, "Missing option"),
    "an output that is there": (["{package}", "-o", "{there}"], 2, "is there already; choose another folder"),
    "no package": (["{there}", "-o", "{new}"], 1, "no SHA256SUMS"),
    "no run": (["{new}", "-o", "{new}"], 1, "no such folder"),
}
WRONG_OPTIONS = {
    "--preset phone": (2, "--preset: 'phone' is none of server-cpu,"),
    "--quantize int3": (2, "--quantize: 'int3' is none of none, int8, uint8,"),
    "--embeddings int2": (2, "--embeddings: 'int2' is none of none, int8, int4"),
    "--languages en --text en": (2, "--text: 'en' is not of the form LANGUAGE=FILE"),
    "--languages en --text en=": (2, "--text: 'en=' is not of the form"),
    "--languages en --text sw=x.txt": (2, "--text: sw is none of --languages en"),
    "--text sw=x.txt": (2, "--text: say with --languages which"),
    "--languages sw --text sw=x.txt": (1, "x.txt: cannot be read: No such file or directory"),
    "--languages qu": (1, "there is no word list of qu; give a text"),
    "--languages en --vocabulary 9": (2, "--vocabulary"),
    "--vocabulary 2000": (2, "--vocabulary says something about --languages only"),
    "--limit 5": (2, "--limit says something about --data only"),
    "--score-languages sw": (2, "--score-languages says something about --data only"),
    "--tolerance 0": (2, "--tolerance says something about --data only"),
    "{package} --merge": (2, "--merge takes one package or run"),
    "--merge --languages en": (2, "--merge takes one"),
    "--merge --text en=x": (2, "--merge takes one"),
    "--merge --data {there}": (2, "--merge takes one"),
    "--merge --onto {there}": (2, "--merge takes one"),
    "--data {new}": (1, "no such folder"),
    "{package} --onto {there}": (2, "--onto takes one package or run"),
    "--onto {there} --quantize int8": (2, "--onto takes one package or run"),
    "--onto {there} --languages en": (2, "--onto takes one package or run"),
    "--onto {there}": (1, "no SHA256SUMS, so this is no bundle"),
}
WRONG |= {
    options: (["{package}", "-o", "{new}", *options.split()], *expected)
    for options, expected in WRONG_OPTIONS.items()
}


@pytest.mark.parametrize(("arguments", "code", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line_and_an_exit_code(arguments, code, message, zoo, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    names = {"package": zoo.packages["first"], "new": tmp_path / "new", "there": there}
    found, out, err = export(*(argument.format(**names) for argument in arguments))
    assert (found, out) == (code, ""), err
    assert message in err
    if err.startswith("error: "):
        assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()
    assert list(there.iterdir()) == []


def test_a_bundle_of_several_packages(zoo, tmp_path):
    code, out, err = export(*zoo.places, "-o", tmp_path / "bundle")
    assert code == 0
    assert out.startswith(f"{tmp_path / 'bundle'}: ")
    assert out.count("\n") == 1
    for name in zoo.packages:
        assert name in out
        assert f"torch with {name}\n" in err
    bundle = Bundle.load(tmp_path / "bundle")
    assert (bundle.manifest.quantize, bundle.manifest.preset) == ("static-int8", "server-cpu")


def test_json_and_trimming(zoo, tmp_path):
    (tmp_path / "text").write_text("glad happy sun\n")
    trim = ["--languages", "xx,en", "--text", f"xx={tmp_path / 'text'}", "--text", f"en={tmp_path / 'text'}"]
    place = ["-o", tmp_path / "bundle", "--preset", "edge-cpu", "--quantize", "none"]
    code, out, err = export(zoo.packages["first"], *place, *trim, "--json")
    assert code == 0, err
    manifest = json.loads(out)
    assert manifest["languages"] == {"xx": 1.0, "en": 1.0}
    assert (manifest["quantize"], manifest["preset"]) == ("none", "edge-cpu")
    assert json.loads((tmp_path / "bundle" / "bundle.json").read_text()) == manifest


def test_one_merged_model(zoo, tmp_path):
    code, out, _ = export(zoo.packages["first"], "-o", tmp_path / "merged", "--merge")
    assert (code, out) == (0, f"{tmp_path / 'merged'}: load it with optimum.onnxruntime\n")
    code, out, _ = export(zoo.packages["first"], "-o", tmp_path / "again", "--merge", "--json")
    assert code == 0
    assert json.loads(out)["output"] == str(tmp_path / "again")
    assert "model.onnx" in json.loads(out)["files"]


def test_an_adapter_for_a_bundle_that_is_there(zoo, tmp_path):
    code, out, err = export(zoo.packages["first"], "-o", tmp_path / "more", "--onto", zoo.bundle)
    assert (code, out) == (0, f"{tmp_path / 'more'}: adapter first for {zoo.bundle}\n"), err
    assert Bundle.load(zoo.bundle, threads=1).load_adapter(tmp_path / "more").name == "first"
    code, out, _ = export(zoo.packages["first"], "-o", tmp_path / "again", "--onto", zoo.bundle, "--json")
    assert (code, json.loads(out)["name"]) == (0, "first")


@pytest.mark.parametrize(
    ("asked", "scored"), [((), {"en", "sw", "ur"}), (("--score-languages", "sw,ur"), {"sw", "ur"})]
)
def test_scores_are_compared_in_languages_to_which_nothing_is_trimmed(asked, scored, zoo, tmp_path):
    data = ["--data", zoo.recipe.data.dir, "--limit", "5", "--tolerance", "100"]
    code, out, err = export(zoo.packages["first"], "-o", tmp_path / "bundle", *data, *asked, "--json")
    assert code == 0, err
    manifest = json.loads(out)
    assert manifest["languages"] is None
    assert set(manifest["parity"]["scores"]["bundle"]["first"]) == scored


def test_scores_are_compared_in_other_languages_than_the_trimmed_ones(zoo, tmp_path):
    (tmp_path / "text").write_text("glad happy sun\n")
    trim = ["--languages", "en", "--text", f"en={tmp_path / 'text'}", "--score-languages", "all"]
    data = ["--data", zoo.recipe.data.dir, "--limit", "5", "--tolerance", "100"]
    code, out, err = export(zoo.packages["first"], "-o", tmp_path / "bundle", *data, *trim, "--json")
    assert code == 0, err
    manifest = json.loads(out)
    assert set(manifest["languages"]) == {"en"}
    assert set(manifest["parity"]["scores"]["bundle"]["first"]) == {"en", "sw", "ur"}
