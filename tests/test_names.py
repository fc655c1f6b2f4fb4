"""The rule by which names become files."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.errors import UsageError
from lowres_stilts.names import LONGEST, file_name, module_name, problem_of, readable, require_utf8, slug
from lowres_stilts.runtime.manifest import AdapterPart
from lowres_stilts.tasks.catalog import REGISTRY

ANY = st.text(st.characters())
ODD = st.one_of(
    ANY,
    st.sampled_from(["", ".", "..", "../x", "a/b", "a\\b", "con", "NUL.txt", "a b", "täglich", "x" * 300, "a."]),
)
ADAPTER = next(field.pattern for field in AdapterPart.model_fields["name"].metadata if hasattr(field, "pattern"))
BYTES = os.fsdecode(b"mod\xe8le")


@given(ODD)
def test_a_file_never_leaves_its_folder(name):
    for cleaned in (file_name(name), module_name(name)):
        path = Path("folder") / cleaned
        assert path.parent == Path("folder")
        assert (path / "x").resolve().parent.name == cleaned
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", cleaned)
        assert len(cleaned) <= LONGEST
        assert not cleaned.endswith(".")
        assert cleaned.lower().partition(".")[0] not in {"con", "prn", "aux", "nul", "com1", "lpt9"}


@given(ODD, ODD)
def test_different_names_have_different_files(one, other):
    for clean in (file_name, module_name):
        assert (clean(one) == clean(other)) == (one == other)
        assert clean(one) != clean(clean(one)) or clean(one) == one


@given(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,40}\Z"))
def test_a_plain_name_stays_unless_it_could_be_the_file_of_another(name):
    is_kept_for_others = re.fullmatch(r"(.*-)?x[0-9a-f]{10}", name) or name.lower() in {"con", "prn", "aux", "nul"}
    if not is_kept_for_others and not re.fullmatch(r"(com|lpt)\d", name.lower()):
        assert file_name(name) == module_name(name) == name


def test_names_of_the_catalogue_stay():
    for name, task in REGISTRY.items():
        assert file_name(name) == name
        assert problem_of(name) is None
        for language in task.languages:
            assert file_name(language) == module_name(language) == language
            assert problem_of(language) is None


@pytest.mark.parametrize(
    ("name", "file", "module"),
    [
        ("anli+", "anli+", "anli-x5c45aabdbd"),
        ("mood.sw", "mood.sw", "mood-sw-x"),
        ("zwei Fragen", "zwei-Fragen-x", "zwei-Fragen-x"),
        ("täglich", "taglich-x", "taglich-x"),
        ("../../etc", "etc-x", "etc-x"),
        ("con", "con-x", "con-x"),
        ("nul.txt", "nul-txt-x", "nul-txt-x"),
        ("中文", "x", "x"),
    ],
)
def test_what_is_left_of_a_name_can_be_read(name, file, module):
    assert file_name(name).startswith(file)
    assert module_name(name).startswith(module)


def test_an_adapter_may_be_called_like_any_file_of_a_package():
    for name in ("small-zwei Fragen", "small-anli+", "x" * 300, "XNLI-fur-alle", "nul"):
        assert re.fullmatch(ADAPTER, file_name(name))


def test_a_slug_has_letters_digits_and_what_is_kept():
    assert slug("anli+") == "anli"
    assert slug("..my_run (2).") == "my-run-2"
    assert slug("..my_run (2).", "._-") == "my_run-2"
    assert slug("中文") == ""


@pytest.mark.parametrize(
    "name", ["mood", "anli+", "a b", "täglich", "zh-CN", "swh_Latn", "mood.sw", "con", "中文"]
)
def test_names_that_tasks_may_have(name):
    assert problem_of(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "a name cannot be empty"),
        (" \u00a0", "a name cannot be empty"),
        ("../x", "a name cannot begin with '.'"),
        (".hidden", "a name cannot begin with '.'"),
        ("-o", "a name cannot begin with '-'"),
        ("a/b", "a name cannot have '/'"),
        ("a\\b", "a name cannot have '\\\\'"),
        ("a..b", "a name cannot have '..'"),
        ("a\nb", r"a\nb: a name cannot have control characters"),
        ("a\u2028b", r"a\u2028b: a name cannot have control characters"),
        ("a\ud800b", r"a\ud800b: a name cannot have control characters"),
    ],
)
def test_names_that_tasks_cannot_have(name, problem):
    assert problem_of(name) == problem


def test_bytes_and_control_characters_are_shown_as_escapes():
    assert readable("modèle\t中") == r"modèle\t中"
    assert readable(Path(BYTES) / "r") == r"mod\xe8le/r"
    assert readable("\ud800").encode() == rb"\ud800"


@given(ANY)
def test_whatever_is_readable_can_be_printed(text):
    shown = readable(text)
    assert shown.encode().decode() == shown
    assert readable(shown) == shown


def test_a_path_that_is_not_utf8_is_refused():
    require_utf8(Path("modèle"))
    with pytest.raises(UsageError, match=r"^mod\\xe8le/r: not UTF-8, .*; rename it, or choose another$"):
        require_utf8(Path(BYTES) / "r")
    with pytest.raises(UsageError, match=r"; set TMPDIR$"):
        require_utf8(BYTES, "set TMPDIR")
