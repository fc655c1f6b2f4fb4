import json

import pytest

from lowres_stilts.tasks.catalog import REGISTRY
from tests.commands import ask


@pytest.mark.parametrize(
    ("language", "sib", "other", "not_sib"),
    [
        ("sw", "swh_Latn", ("masakhaner", "swa"), "swe_Latn"),
        ("swh_Latn", "swh_Latn", ("xcopa", "sw"), "swe_Latn"),
        ("qu", "quy_Latn", ("xcopa", "qu"), "que"),
        ("arz", "arz_Arab", ("xnli", "ar"), "arg_Latn"),
        ("SV", "swe_Latn", None, "swh_Latn"),
    ],
)
def test_language_is_found_in_all_its_codes_and_no_other(language, sib, other, not_sib):
    done = ask("tasks", "--language", language)
    assert done.returncode == 0, done.stderr
    found = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert sib in found["sib200"]
    assert not_sib not in found["sib200"]
    if other:
        task, code = other
        assert code in found[task].split()


@pytest.mark.parametrize(
    ("language", "remedy"), [("swahili", "such as sw"), ("sw; rm", "such as sw"), ("kl", "your-own-files")]
)
def test_no_task_is_a_line_with_a_remedy(language, remedy):
    done = ask("tasks", "--language", language)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: --language {language}: ")
    assert remedy in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_language_all_tasks_are_listed():
    done = ask("tasks", "--json")
    assert [task["name"] for task in json.loads(done.stdout)] == list(REGISTRY)
