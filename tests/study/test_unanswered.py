"""A study of which one target has no answers in any language."""

import json

from tests.commands import ask
from tests.study.grids import write_study


def test_a_target_without_answers_is_predicted_and_the_others_are_judged(tmp_path, tiny_model, private_cache):
    study = write_study(tmp_path, tiny_model, axes__seeds=[1], axes__intermediate={"choice": None}, claims=[])
    for path in (tmp_path / "data").glob("mood-test-*.tsv"):
        path.write_text("".join(line.partition("\t")[0] + "\n" for line in path.read_text().splitlines()))
    done = ask("study", study, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [row["target"] for row in results["rows"]] == ["pairs"]
    assert results["cells"] == {"planned": 2, "finished": 2}
    assert results["failures"] == []
    assert results["without_answers"] == [{"target": "mood", "languages": ["en", "sw", "ur"], "answers_at": ""}]
    assert "mood: answers not known in en, sw, ur" in (tmp_path / "out" / "report.html").read_text()
    assert list((tmp_path / "out").rglob("predictions/mood/test-ur.tsv"))
