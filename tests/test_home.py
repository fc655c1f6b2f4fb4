"""A user without a home, or with one that cannot be written."""

import os
import pwd
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lowres_stilts.errors import RunError
from lowres_stilts.home import home, is_writable, private_folder, settle, temporary_root
from lowres_stilts.libraries import quiet_libraries

VARIABLES = ("HF_HOME", "MPLCONFIGDIR", "TRITON_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
NOBODY = """
import os, pwd, sys
def unknown(uid): raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = unknown
os.environ.pop("HOME", None)
from lowres_stilts.cli import main
for line in sys.stdin.read().splitlines():
    sys.argv = ["lowres-stilts", *line.split()]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""
"""Commands, a line each, in a process that imports the libraries without a home and a name."""


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The system's folder for temporary files, and no variable that says where things lie."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    # Put back at the end, whatever settle sets meanwhile.
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def without_home(monkeypatch):
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])


def test_a_home_is_one_that_is_there(temporary, monkeypatch):
    monkeypatch.setenv("HOME", str(temporary))
    assert home() == temporary
    monkeypatch.setenv("HOME", str(temporary / "gone"))
    assert home() is None
    without_home(monkeypatch)
    assert home() is None


def test_a_folder_is_writable_where_it_could_be_made(temporary, monkeypatch):
    assert is_writable(temporary / "a" / "b")
    (temporary / "file").touch()
    assert not is_writable(temporary / "file" / "b")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != temporary)
    assert not is_writable(temporary / "a" / "b")


def test_a_private_folder_is_for_its_user_alone(temporary):
    folder = private_folder()
    assert folder == private_folder() == temporary / f"lowres-stilts-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("made", ["wide", "link", "file"])
def test_a_folder_that_somebody_else_may_have_made_is_not_used(made, temporary):
    folder = temporary / f"lowres-stilts-{os.getuid()}"
    if made == "wide":
        folder.mkdir()
        folder.chmod(0o777)
    elif made == "link":
        (temporary / "theirs").mkdir(mode=0o700)
        folder.symlink_to(temporary / "theirs")
    else:
        folder.touch(mode=0o600)
    with pytest.raises(RunError, match=r"set HOME,? or LOWRES_STILTS_CACHE"):
        private_folder()


def test_somebody_elses_folder_is_not_used(temporary, monkeypatch):
    own = os.getuid()
    (temporary / f"lowres-stilts-{own + 1}").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    with pytest.raises(RunError, match="others can write there"):
        private_folder()


def test_no_folder_for_temporary_files_is_named_in_one_line(monkeypatch):
    def none():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(RunError, match="set TMPDIR to a folder"):
        temporary_root()
    without_home(monkeypatch)
    quiet_libraries()  # the error comes where a folder is needed


def test_libraries_find_a_private_home_where_there_is_none(temporary, monkeypatch):
    without_home(monkeypatch)
    settle()
    assert home() == private_folder()
    assert not {*VARIABLES} & {*os.environ}


def test_libraries_are_left_alone_where_there_is_a_home(temporary, monkeypatch):
    monkeypatch.setenv("HOME", str(temporary))
    settle()
    assert not {*VARIABLES} & {*os.environ}
    assert list(temporary.iterdir()) == []


def test_libraries_write_elsewhere_where_the_home_cannot_be_written(temporary, monkeypatch):
    own = temporary / "home"
    own.mkdir()
    monkeypatch.setenv("HOME", str(own))
    monkeypatch.setenv("TRITON_HOME", "/chosen")
    monkeypatch.setattr(os, "access", lambda path, _: not Path(path).is_relative_to(own))
    settle()
    assert (home(), os.environ["TRITON_HOME"]) == (own, "/chosen")
    assert os.environ["HF_HOME"] == str(private_folder() / "huggingface")
    assert os.environ["MPLCONFIGDIR"] == str(private_folder() / "matplotlib")


def test_models_in_a_home_that_cannot_be_written_are_still_read(temporary, monkeypatch):
    own = temporary / "home"
    (own / ".cache" / "huggingface").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(own))
    monkeypatch.setattr(os, "access", lambda path, _: not Path(path).is_relative_to(own))
    settle()
    assert "HF_HOME" not in os.environ
    assert "MPLCONFIGDIR" in os.environ


def test_commands_start_for_a_user_without_name_and_home(tmp_path, tiny_model):
    environment = {key: value for key, value in os.environ.items() if key not in {"HOME", "LOWRES_STILTS_CACHE"}}
    environment |= {"TMPDIR": str(tmp_path)}
    (tmp_path / "data" / "panx").mkdir(parents=True)
    (tmp_path / "data" / "panx" / "train-en.tsv").write_text("Nairobi\tB-LOC\n")
    (tmp_path / "r.yaml").write_text(
        "name: r\nmodel: {id: x, device: cpu}\ndata: {source: files}\n"
        "tasks: {pairs: {family: retrieval, languages: [sw]}}\ntarget: {task: pairs, transfer: none}\n"
    )
    commands = ("doctor", f"plan r.yaml --set model.id={tiny_model}", f"data check data --model {tiny_model}")
    done = subprocess.run(
        [sys.executable, "-c", NOBODY],
        input="\n".join(commands),
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE((tmp_path / f"lowres-stilts-{os.getuid()}").stat().st_mode) == 0o700
    assert not (tmp_path / "~").exists()
