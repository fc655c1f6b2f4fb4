"""What must be settled before libraries are imported: their chatter, and where they keep things."""

import logging
import os

from lowres_stilts.home import settle


def quiet_libraries() -> None:
    """Leaves only errors, and gives them folders to write to; must run before the libraries are imported."""
    settle()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
