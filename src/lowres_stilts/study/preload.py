"""What steps need, imported once by the server that workers are forked from.

It must start no thread and no CUDA, which forks would miss.
"""

import gc
import importlib
import signal

STEPS = (
    "lowres_stilts.encoder.checkpoint",
    "lowres_stilts.pipeline.answers",
    "lowres_stilts.pipeline.arms",
    "lowres_stilts.pipeline.environment",
    "lowres_stilts.pipeline.phase",
    "lowres_stilts.pipeline.transfer",
)

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the study gets it, and ends this process and its forks
importlib.import_module("lowres_stilts.study.engines").quiet_worker()
for name in STEPS:
    importlib.import_module(name)
gc.freeze()  # looking for cycles writes to what it looks at, and workers share what none writes to
