"""onnxruntime sessions, with settings that suit encoders."""

import contextlib
import mmap
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnxruntime

from lowres_stilts.errors import BundleError
from lowres_stilts.runtime.manifest import WEIGHTS
from lowres_stilts.runtime.overflow import int8_overflows

CPU = ("CPUExecutionProvider",)
FATAL = 4
"""onnxruntime's level of messages: errors are raised, and it would warn of every optional input."""
SLOW_ON_CPUS = "SkipLayerNormFusion"
"""Puts Add and LayerNormalization together, into an operator that is several times slower there."""
LEFT = re.compile(rb"\.git|\.(?:cache|huggingface)[/\\]", re.IGNORECASE)
"""Names of what tools leave in a folder, as a graph could spell them."""
ABOVE = re.compile(rb"\.\.[/\\]")
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
    with graph_errors(path), _weights_lent(options, path):
        # The fallback would print to standard output, and take another provider than asked for.
        return onnxruntime.InferenceSession(
            str(path), options, providers=list(providers), enable_fallback=0, disabled_optimizers=disabled
        )


def require_listed_weights(path: Path) -> None:
    """Whether a graph can take its weights from summed files only.

    onnxruntime reads any file that a graph names below its folder, which has summed files and what tools left, or,
    if the graph is a link, below the folder of the file that it leads to, which may have anything.

    Raises:
        BundleError: it may name other files, or cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    if LEFT.search(content) or (path.is_symlink() and ABOVE.search(content)):
        raise BundleError(f"{path}: names files that are not the bundle's; get the bundle anew")


@contextlib.contextmanager
def _weights_lent(options: onnxruntime.SessionOptions, path: Path) -> Iterator[None]:
    """Hands over weights that are a link to where onnxruntime would not follow it, as the graph lies elsewhere."""
    weights = path.with_name(WEIGHTS)
    near = (path.parent.resolve(), path.resolve().parent)
    if not weights.is_file() or any(weights.resolve().is_relative_to(folder) for folder in near):
        yield
        return
    with weights.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        options.add_external_initializers_from_files_in_memory([WEIGHTS], [content], [len(content)])
        yield  # the session has a copy


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
