"""Devices and their memory."""

import torch

CPU_IS_FULL = ("can't allocate memory", "not enough memory", "could not create a primitive", "bad allocation")
"""What torch and oneDNN say on a CPU, where they have no error of their own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device had no memory left, a GPU or the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in CPU_IS_FULL)


def release_cached_memory() -> None:
    """Gives back what torch keeps on the GPU for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
