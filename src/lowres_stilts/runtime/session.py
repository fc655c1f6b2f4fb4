"""onnxruntime sessions, with settings that suit encoders."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnxruntime

from lowres_stilts.errors import BundleError
from lowres_stilts.runtime.overflow import int8_overflows

CPU = ("CPUExecutionProvider",)
FATAL = 4
"""onnxruntime's level of messages: errors are raised, and it would warn of every optional input."""
SLOW_ON_CPUS = "SkipLayerNormFusion"
"""Puts Add and LayerNormalization together, into an operator that is several times slower there."""
QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where Linux says how much of its cores a container may use."""


def open_session(
    path: Path, *, threads: int | None, providers: Sequence[str], spin: bool = True
) -> onnxruntime.InferenceSession:
    """A session over a graph whose weights lie beside it.

    Args:
        path: the graph.
        threads: how many work on one run; as many as this process has cores where it is not given.
        providers: onnxruntime's execution providers, the preferred one first.
        spin: whether waiting threads keep their cores busy: faster alone, slower beside other work.

    Raises:
        BundleError: the file is damaged, or there is no such provider here.
    """
    known = onnxruntime.get_available_providers()
    if missing := [name for name in providers if name not in known]:
        raise BundleError(f"onnxruntime has no {missing[0]} here; it has {', '.join(known)}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    options.inter_op_num_threads = 1
    options.graph_optimization_level, disabled = _optimizations(on_cpu=tuple(providers) == CPU)
    options.add_session_config_entry("session.x64quantprecision", str(int(int8_overflows())))
    options.log_severity_level = FATAL
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    with graph_errors(path):
        # The fallback would print to standard output, and take another provider than asked for.
        return onnxruntime.InferenceSession(
            str(path), options, providers=list(providers), enable_fallback=0, disabled_optimizers=disabled
        )


def _optimizations(*, on_cpu: bool) -> tuple[onnxruntime.GraphOptimizationLevel, list[str]]:
    """The level of onnxruntime's optimizations, and which of them are left out."""
    levels = onnxruntime.GraphOptimizationLevel
    if not on_cpu:
        return levels.ORT_ENABLE_ALL, []
    if int8_overflows():  # what changes int8 weights is of the next level
        return levels.ORT_ENABLE_EXTENDED, [SLOW_ON_CPUS]
    return levels.ORT_ENABLE_BASIC, []  # the graphs are as CPUs should run them


@contextlib.contextmanager
def graph_errors(path: Path) -> Iterator[None]:
    """Turns what onnxruntime raises over a graph into a `BundleError` that names it."""
    try:
        yield
    except Exception as error:  # onnxruntime's own errors share no base class
        raise BundleError(f"{path}: cannot be used: {' '.join(str(error).split())[:300]}") from error


def cores() -> int:
    """How many cores this process may use: in a container fewer than the machine has, which onnxruntime counts."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text(encoding="ascii").split()
        allowed = usable if quota == "max" else round(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return usable
    return max(1, min(usable, allowed))


def optional_inputs(session: onnxruntime.InferenceSession) -> Mapping[str, Sequence[int | str]]:
    """The inputs that a run may leave out, and their sizes."""
    return {item.name: item.shape for item in session.get_overridable_initializers()}
