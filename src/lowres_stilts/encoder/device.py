"""Devices and their memory."""

import ctypes
import sys

import torch

CPU_IS_FULL = ("can't allocate memory", "not enough memory", "could not create a primitive", "bad allocation")
"""What torch and oneDNN say on a CPU, where they have no error of their own."""
MMAP_THRESHOLD = -3
"""glibc's number for the size from which a piece of memory is the system's and not of the heap."""
SMALL, LARGE = 1 << 20, 32 << 20


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
