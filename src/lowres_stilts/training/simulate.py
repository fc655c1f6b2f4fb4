"""A training step without weights, data or device: real code on torch's meta tensors, whose bytes are counted.

Nothing is computed, so the step of an XLM-R XXL takes a second; nothing is guessed either, since it is the
encoder's, PEFT's and AdapterHub's own code that makes and frees the tensors, and autograd that keeps them.
"""

import contextlib
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

META = torch.device("meta")


@dataclass(frozen=True)
class Cost:
    """What a piece of work takes beside what was there before."""

    bytes: int
    """Most memory of tensors at once, intermediate ones and gradients."""
    flops: int
    """Of matrix products."""


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that are made while it is on, and the operations of matrix products."""

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        """Takes the tensors that are not to be counted, such as weights."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = self.flops = 0
        self._seen: dict[int, Any] = {}
        self._known = [tensor.untyped_storage() for tensor in known]
        self._seen.update((id(storage), None) for storage in self._known)

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Calls the operation and looks at what it made."""
        found = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        self.peak = max(self.peak, self.live + _workspace(function, args))
        if counted := flop_registry.get(function.overloadpacket):
            self.flops += int(counted(*args, **(kwargs or {}), out_val=found))
        elif function.overloadpacket is torch.ops.bitsandbytes.gemm_4bit:
            self.flops += 2 * args[0].numel() * int(args[2][0])
        return found

    def _count(self, storage: Any) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._seen:
            return
        self.live += size

        def gone(_: object) -> None:
            del self._seen[key]
            self.live -= size

        self._seen[key] = weakref.ref(storage, gone)


@contextlib.contextmanager
def _as_on_cuda() -> Iterator[None]:
    """Has attention keep what it keeps on CUDA: queries, keys, values, output and one number for each query.

    On meta tensors torch would otherwise spell it out, all probabilities included.
    """
    attention, every = torch.nn.functional.scaled_dot_product_attention, torch.all
    torch.nn.functional.scaled_dot_product_attention = _efficient_attention  # type: ignore[assignment]
    # transformers leaves out a mask that masks nothing; here it is one that does.
    torch.all = lambda *_: torch.tensor(False)  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.nn.functional.scaled_dot_product_attention, torch.all = attention, every


def _efficient_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, **_: Any) -> Tensor:
    shape = (*query.shape[:3], key.shape[2])
    bias = None if attn_mask is None else attn_mask.expand(shape)
    found: Tensor = torch.ops.aten._scaled_dot_product_efficient_attention(query, key, value, bias, True)[0]  # noqa: SLF001
    return found


def cost_of(work: Callable[[], object], known: Iterable[Tensor], *, cuda: bool) -> Cost:
    """What it takes to call this once, with known tensors not counted."""
    with Meter(known) as meter, _as_on_cuda() if cuda else contextlib.nullcontext():
        work()
    return Cost(meter.peak, meter.flops)


def _workspace(function: Any, args: Any) -> int:
    """Bytes that an operation takes for itself: for each product NF4 weights and their scales are dequantized."""
    if function.overloadpacket is not torch.ops.bitsandbytes.gemm_4bit:
        return 0
    width, count = int(args[0].element_size()), int(prod(args[2]))
    return count * width + 2 * 4 * count // 64
