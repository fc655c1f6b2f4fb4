import errno
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lowres_stilts.errors import RunError, UsageError
from lowres_stilts.storage import (
    _system_caches,
    cache_dir,
    locked,
    remove_leftovers,
    require_new,
    scratch_folder,
    write_file,
    write_folder,
    write_json,
    write_text,
)

HOLD = """
import sys
from pathlib import Path
from lowres_stilts.storage import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from lowres_stilts.errors import RunError, UsageError
from lowres_stilts.storage import write_folder, write_text
path, folder = Path(sys.argv[1]), Path(sys.argv[2])
write_text(path, "old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for write in (
    lambda: write_text(path, "new" * 1000),
    lambda: write_folder(folder, lambda temporary: (temporary / "big").write_text("x" * 5000)),
):
    try:
        write()
    except RunError as error:
        print(error)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_text_is_written_as_utf8_and_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "text.txt"
    write_text(path, "Ñandú\r\n")
    assert path.read_bytes() == "Ñandú\r\n".encode()
    assert names(path.parent) == ["text.txt"]


def test_the_old_content_stands_until_the_new_is_whole(tmp_path):
    path = tmp_path / "text.txt"
    write_text(path, "old")
    seen = []

    def write(temporary):
        temporary.write_text("new")
        seen.append(path.read_text())

    write_file(path, write)
    assert (seen, path.read_text()) == (["old"], "new")


def test_a_failing_writer_keeps_the_old_content(tmp_path):
    path = tmp_path / "text.txt"
    write_text(path, "old")

    def fail(temporary):
        temporary.write_text("half of the n")
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write_file(path, fail)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["text.txt"]


def test_json_is_readable_by_people_and_has_no_nan(tmp_path):
    path = tmp_path / "values.json"
    write_json(path, {"language": "Türkçe"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"language": "Türkçe"}
    assert "Türkçe" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"loss": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"language": "Türkçe"}


def test_a_folder_appears_whole(tmp_path):
    folder = tmp_path / "cache" / "model"

    def fill(temporary):
        (temporary / "weights").write_text("1")
        assert not folder.exists()
        (temporary / "config").write_text("2")

    assert write_folder(folder, fill) == folder
    assert names(folder) == ["config", "weights"]
    assert names(folder.parent) == ["model"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    def fail(temporary):
        (temporary / "weights").write_text("1")
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write_folder(tmp_path / "model", fail)
    assert names(tmp_path) == []


def test_a_folder_that_another_process_completed_meanwhile_is_kept(tmp_path):
    folder = tmp_path / "model"

    def fill(temporary):
        (temporary / "weights").write_text("mine")
        folder.mkdir()
        (folder / "weights").write_text("theirs")

    write_folder(folder, fill)
    assert (folder / "weights").read_text() == "theirs"
    assert names(tmp_path) == ["model"]


def test_a_folder_that_is_completed_at_the_last_moment_is_kept(tmp_path, monkeypatch):
    folder, rename = tmp_path / "model", Path.rename

    def late(temporary, target):
        shutil.copytree(temporary, target)
        (target / "weights").write_text("theirs")
        return rename(temporary, target)

    monkeypatch.setattr(Path, "rename", late)
    write_folder(folder, lambda temporary: (temporary / "weights").write_text("mine"))
    assert (folder / "weights").read_text() == "theirs"
    assert names(tmp_path) == ["model"]


def test_who_waits_for_a_lock_comes_after_who_holds_it(tmp_path):
    within, most = [], []

    def work(number):
        with locked(tmp_path / "work", wait=True):
            within.append(number)
            time.sleep(0.01)
            most.append(len(within))
            within.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    assert most == [1] * 8


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_text(path, "text"),
        lambda path: write_json(path, {}),
        lambda path: write_folder(path, lambda temporary: None),
        lambda path: locked(path).__enter__(),
    ],
    ids=["text", "json", "folder", "lock"],
)
def test_a_file_in_the_place_of_a_folder_is_a_run_error_that_says_so(write, tmp_path):
    (tmp_path / "file").write_text("a regular file")
    path = tmp_path / "file" / "below"
    with pytest.raises(RunError) as caught:
        write(path)
    assert str(caught.value) == f"{tmp_path / 'file'} is a file; a folder is wanted"
    assert (tmp_path / "file").read_text() == "a regular file"


def test_a_full_disk_is_a_run_error_and_what_was_written_before_is_intact(tmp_path):
    path, folder = tmp_path / "text.txt", tmp_path / "model"
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, path, folder], capture_output=True, text=True, check=True
    )
    first, second = done.stdout.splitlines()
    assert first.startswith(f"cannot write {path}: File too large; free some space or choose another")
    assert second.startswith(f"cannot write {folder}: File too large; free some space or choose another")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["text.txt"]


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(tmp_path):
    for folder in (tmp_path / "phases" / ".1-model.abc.tmp", tmp_path / "phases" / "1-model"):
        folder.mkdir(parents=True)
        (folder / "weights").write_text("1")
    (tmp_path / ".results.json.77.tmp").write_text("{")
    (tmp_path / "results.tmp").write_text("a user's own")
    (tmp_path / ".lock").touch()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".lock", "phases", "results.tmp"]
    assert names(tmp_path / "phases") == ["1-model"]


@pytest.fixture
def holder(tmp_path):
    """Another living process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    with process:
        yield process
        process.kill()


def test_the_lock_of_a_living_process_is_respected(tmp_path, holder):
    with pytest.raises(RunError, match="in use by another process") as caught, locked(tmp_path / "run"):
        pytest.fail("got the lock")
    assert str(tmp_path / "run") in str(caught.value)
    assert holder.poll() is None


def test_the_lock_of_a_killed_process_is_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    entered = False
    with locked(tmp_path / "run"):
        entered = True
    assert entered


def test_a_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="stop"), locked(tmp_path / "run"):
        raise ValueError("stop")
    with locked(tmp_path / "run"), pytest.raises(RunError), locked(tmp_path / "run"):
        pytest.fail("got the lock twice")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LOWRES_STILTS_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, Path("/c")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/lowres-stilts")),
        ({"XDG_CACHE_HOME": ""}, Path(".cache/lowres-stilts")),
        ({}, Path(".cache/lowres-stilts")),
    ],
)
def test_cache_dir_follows_the_environment(variables, expected, tmp_path, monkeypatch):
    for name in ("LOWRES_STILTS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    assert cache_dir() == tmp_path / expected  # what is absolute stays


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", "home/.cache"), ("darwin", "home/Library/Caches"), ("win32", "home/AppData/Local")],
)
def test_caches_lie_where_the_system_keeps_them(platform, expected, tmp_path, monkeypatch):
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert _system_caches(platform, tmp_path / "home") == tmp_path / expected


def test_windows_may_say_where_caches_lie(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert _system_caches("win32", tmp_path / "home") == tmp_path


@pytest.fixture
def no_cache(monkeypatch):
    """No variable says where caches lie."""
    for name in ("LOWRES_STILTS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("home", ["missing", "unwritable", "none"])
def test_without_a_home_the_cache_is_private(home, tmp_path, monkeypatch, no_cache):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / home))
    if home == "unwritable":
        (tmp_path / home).mkdir()
        monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path / home)
    if home == "none":
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    assert cache_dir() == tmp_path / f"lowres-stilts-{os.getuid()}" / "cache"
    with locked(cache_dir() / "locks" / "x"):
        assert stat.S_IMODE(cache_dir().parent.stat().st_mode) == 0o700


def test_a_cache_that_cannot_be_written_says_what_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOWRES_STILTS_CACHE", str(tmp_path / "file"))
    message = "/file is a file; a folder is wanted: set LOWRES_STILTS_CACHE to one"
    with pytest.raises(RunError, match=message):
        write_text(cache_dir() / "x", "text")


def test_an_output_that_cannot_be_written_says_what_to_choose(tmp_path, private_cache):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"/file is a file; a folder is wanted$"):
        write_text(tmp_path / "file" / "x", "text")


@pytest.mark.parametrize("variable", ["LOWRES_STILTS_CACHE", "HOME"])
def test_a_cache_whose_path_is_not_utf8_says_what_to_set(variable, tmp_path, monkeypatch, no_cache):
    folder = tmp_path / os.fsdecode(b"mod\xe8le")
    folder.mkdir()
    monkeypatch.setenv(variable, str(folder))
    with pytest.raises(
        UsageError, match=r"mod\\xe8le.*: not UTF-8, .*; set LOWRES_STILTS_CACHE to another folder"
    ):
        cache_dir()


def test_scratch_is_removed_and_its_errors_say_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as scratch:
        (scratch / "big").write_text("text")
    assert names(tmp_path) == []
    message = (
        f"^cannot write {tmp_path}: No space left on device; free some space there, or set TMPDIR to a folder"
    )
    with pytest.raises(RunError, match=message), scratch_folder():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(RunError, match=r"No such file or directory; .*set TMPDIR"), scratch_folder():
        pytest.fail("there is no such folder")
    monkeypatch.setattr(tempfile, "tempdir", os.fsdecode(b"/mod\xe8le"))
    with pytest.raises(UsageError, match=r"^/mod\\xe8le: .*; set TMPDIR to another folder"), scratch_folder():
        pytest.fail("onnxruntime could not read there")


def test_a_new_folder_is_named_in_utf8(tmp_path):
    require_new(tmp_path / "new")
    with pytest.raises(UsageError, match="is there already"):
        require_new(tmp_path)
    with pytest.raises(UsageError, match=r"mod\\xe8le: not UTF-8"):
        require_new(tmp_path / os.fsdecode(b"mod\xe8le"))
