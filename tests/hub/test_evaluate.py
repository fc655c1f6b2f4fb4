import json
import shutil

import pytest

from lowres_stilts.errors import DataError, PackageError, UsageError
from lowres_stilts.hub.checksums import write_sums
from lowres_stilts.hub.evaluate import evaluate_package, measure_again
from lowres_stilts.hub.verify import open_package
from lowres_stilts.tasks.load import open_source
from tests.commands import ask
from tests.hub.lora_runs import finished_lora


@pytest.fixture
def finished(once, private_cache):
    recipe, packages = finished_lora(once)
    return packages[0].parents[2], recipe, packages


def test_a_package_scores_what_its_run_scored(finished):
    folder, recipe, packages = finished
    found = evaluate_package(open_package(packages[-1]), open_source(recipe.data), languages=["en"])
    written = json.loads((folder / "results.json").read_text())
    score, before = found["scores"]["mood"]["en"], written["scores"]["mood"]["en"]
    assert (score["n"], score["metric"]) == (before["n"], before["metric"])
    # The package holds bfloat16; one of 24 examples may tip over.
    assert score["value"] == pytest.approx(before["value"], abs=100 / 24 + 0.01)


def test_languages_that_the_run_did_not_see_and_a_limit(finished):
    _, recipe, packages = finished
    found = evaluate_package(open_package(packages[-1]), open_source(recipe.data), languages=["sw", "ur"], limit=5)
    assert {language: score["n"] for language, score in found["scores"]["mood"].items()} == {"sw": 5, "ur": 5}


def test_languages_without_answers_are_left_out_and_named(finished, tmp_path):
    _, recipe, packages = finished
    data = shutil.copytree(recipe.data.dir, tmp_path / "data")
    source = open_source(recipe.data.model_copy(update={"dir": data}))
    warnings = []
    for language, expected in (("sw", {"en", "ur"}), ("en", {"ur"})):
        path = data / f"mood-test-{language}.tsv"
        path.write_text("".join(line.partition("\t")[0] + "\n" for line in path.read_text().splitlines()))
        found = evaluate_package(open_package(packages[-1]), source, limit=5, warn=warnings.append)
        assert set(found["scores"]["mood"]) == expected
    assert warnings == [f"mood: answers not known in {names}, so no score there" for names in ("sw", "en, sw")]
    with pytest.raises(DataError, match=r"mood-test-sw\.tsv: mood: answers not known in sw"):
        evaluate_package(open_package(packages[-1]), source, languages=["sw"])


def test_retrieval_needs_no_head_and_other_tasks_do(finished):
    _, recipe, packages = finished
    package, source = open_package(packages[0]), open_source(recipe.data)
    assert set(evaluate_package(package, source, task="pairs")["scores"]["pairs"]) == {"en", "sw", "ur"}
    with pytest.raises(UsageError, match="no head for tags; it has choice"):
        evaluate_package(package, source, task="tags")


def test_other_weights_of_the_base_are_refused(finished, tmp_path):
    _, recipe, packages = finished
    package = shutil.copytree(packages[-1], tmp_path / "package")
    manifest = json.loads((package / "stilts.json").read_text())
    manifest["base"]["sha256"] = "0" * 64
    (package / "stilts.json").write_text(json.dumps(manifest))
    write_sums(package)
    with pytest.raises(PackageError, match="trained on weights 000000000000"):
        evaluate_package(open_package(package), open_source(recipe.data), languages=["en"])


def test_the_command_names_what_is_wrong(finished):
    folder, _, _ = finished
    for arguments, code in (
        (["--split", "train"], 2),
        (["--source", "xtreme"], 2),
        (["--source", "hug"], 2),
        (["--source", "hub", "--task", "udpos"], 2),
    ):
        done = ask("evaluate", folder, *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr


def test_scores_of_the_card_are_measured_again(finished):
    _, recipe, packages = finished
    source = open_source(recipe.data)
    found = measure_again(open_package(packages[-1]), source)
    assert {language: inside for language, (_, _, inside) in found.items()} == {"en": True}
    with pytest.raises(UsageError, match="no scores to compare with"):
        measure_again(open_package(packages[0]), source)
