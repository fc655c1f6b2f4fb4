"""Devices and their memory."""

import ctypes
import mmap
import sys
from pathlib import Path

import torch

CPU_IS_FULL = ("can't allocate memory", "not enough memory", "could not create a primitive", "bad allocation")
"""What torch and oneDNN say on a CPU, where they have no error of their own."""
MMAP_THRESHOLD = -3
"""glibc's number for the size from which a piece of memory is the system's and not of the heap."""
SMALL, LARGE = 1 << 20, 32 << 20
HEAP_GROWTH = 0.25
"""How far the heap may grow beyond its first update, in parts of what that update added, before it is trimmed."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device had no memory left, a GPU or the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in CPU_IS_FULL)


def release_cached_memory() -> None:
    """Gives back what torch keeps on the GPU for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def pack_memory(*, tightly: bool) -> None:
    """Has the C library (glibc) give every freed tensor back at once, or keep what it may need again.

    Its heap grows to several times what tensors take when large ones come and go in turn, as they do where
    activations are computed twice; pages that are given back have to be cleared again, which takes time.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(MMAP_THRESHOLD, SMALL if tightly else LARGE)
        library.malloc_trim(0)


def release_freed_memory() -> None:
    """Hands the holes in the heap back to the system, where the C library can do that (glibc)."""
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)


class Heap:
    """Keeps the C library's heap from growing with every batch of a new shape.

    Each shape leaves holes of other sizes behind, so that over some tens of updates the heap grows to several
    times what one takes. Trimming it after each of them would cost a fifth of the time, since all its pages are
    cleared again as they are used; it is trimmed when it has grown by a quarter of what one takes.
    """

    def __init__(self) -> None:
        """Starts from what is resident now."""
        self._floor, self._filled = resident_bytes(), 0

    def after_update(self) -> None:
        """Trims the heap where it has grown too far."""
        now = resident_bytes()
        if not self._filled:
            self._filled = now
        elif now > self._filled + HEAP_GROWTH * (self._filled - self._floor):
            release_freed_memory()
            self._floor, self._filled = resident_bytes(), 0


def resident_bytes() -> int:
    """Resident memory of this process on Linux; 0 elsewhere."""
    if sys.platform != "linux":
        return 0
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * mmap.PAGESIZE
