"""What is done to packages that must be refused."""

import pytest

from lowres_stilts.errors import PackageError
from lowres_stilts.hub.verify import open_package


class Evil:
    """Unpickling it would write a file."""

    def __reduce__(self):
        return (open, ("/tmp/never", "w"))


def notice_all_damage(sound, package, regions):
    """Flips, cuts and removes every region of every file of a copy; how often it was refused."""
    tried = 0
    for original in sorted(path for path in sound.rglob("*") if path.is_file()):
        data = original.read_bytes()
        path = package / original.relative_to(sound)
        for place in sorted({*range(0, len(data), max(1, len(data) // regions)), len(data) - 1}):
            flipped = data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :]
            for damaged in (flipped, data[:place], data + b"\n" if place == 0 else data[place + 1 :]):
                path.write_bytes(damaged)
                with pytest.raises(PackageError):
                    open_package(package)
                tried += 1
        path.unlink()
        with pytest.raises(PackageError):
            open_package(package)
        path.write_bytes(data)
    open_package(package)
    return tried
