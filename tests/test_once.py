"""What fills a shared folder is called once, whoever asks and whoever is killed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.once import Once

KILLED = """
import os, sys
from pathlib import Path
from tests.once import Once

def make(folder):
    (folder / "half").touch()
    os._exit(1)

Once(Path(sys.argv[1]))("name", make)
"""


def test_it_is_made_by_one_of_those_who_ask_at_once(tmp_path):
    calls = []

    def make(folder):
        calls.append(folder)
        (folder / "file").touch()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: (Once(tmp_path)("name", make) / "file").exists(), range(32)))
    assert (all(found), calls) == (True, [tmp_path / "name"])


def test_what_a_killed_process_left_is_made_anew(tmp_path):
    assert subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False).returncode == 1
    assert (tmp_path / "name" / "half").exists()
    whole = Once(tmp_path)("name", lambda folder: (folder / "file").touch())
    assert [path.name for path in whole.iterdir()] == ["file"]
