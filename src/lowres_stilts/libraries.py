"""What must be settled before libraries are imported: their chatter, and where they keep things."""

import logging
import os

from lowres_stilts.home import settle

KERNELS_KEPT = "256"
"""Of oneDNN, which keeps 1,024 by itself, each for one shape of its operands and with buffers of its own: hundreds
of megabytes where every batch has a shape of its own. An update of one shape takes some forty."""

WAITING = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
"""Variables that say how threads wait for each other. By themselves they spin, and where another program has the
core that one of them waits for, the others burn theirs: two threads train at a fraction of the speed of one.
Threads that sleep do not, but take longer to wake than most steps of an update take (benchmarks/threads.py)."""
SPINS = "10000"
"""How often a thread of GNU's OpenMP looks before it sleeps: tens of microseconds."""


def quiet_libraries() -> None:
    """Leaves only errors, and gives them folders to write to; must run before the libraries are imported."""
    settle()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    if not WAITING & set(os.environ):
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ["GOMP_SPINCOUNT"] = SPINS
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS_KEPT)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
