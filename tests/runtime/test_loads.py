"""An adapter that is loaded and unloaded again and again leaves nothing behind."""

import subprocess
import sys

import pytest

TRY = """
import os, sys, tempfile, shutil
from pathlib import Path
from lowres_stilts.runtime import Bundle

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def left():
    return len(os.listdir("/proc/self/fd")), len(Path("/proc/self/maps").read_text().splitlines())

def once():
    with tempfile.TemporaryDirectory() as place:  # as the service does it
        bundle.load_adapter(shutil.copytree(sys.argv[2], Path(place) / "first"))
    bundle.predict(["glad", ("sad", "sad")], ["first", "second-intermediate"])
    bundle.remove_adapter("first")

bundle = Bundle.load(sys.argv[1], threads=1)
loads = int(sys.argv[3])
for _ in range(200):
    once()
print(0, resident(), *left())
for number in range(1, loads + 1):
    once()
    if number % (loads // 10) == 0:
        print(number, resident(), *left())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for its memory")
@pytest.mark.parametrize("loads", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_loads_and_unloads_leave_memory_files_and_mappings_as_they_were(zoo, exported, loads):
    command = [sys.executable, "-c", TRY, str(zoo.bundle), str(exported), str(loads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    (_, memory, files, maps), (count, memory_after, files_after, maps_after) = rows[0], rows[-1]
    assert count == loads
    assert memory_after - memory < 4e6, rows
    assert files_after == files
    assert maps_after - maps < 10, rows
