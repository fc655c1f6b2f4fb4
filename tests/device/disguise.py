"""A GPU that is the CPU in disguise: what real code does with it is checked and counted, without a GPU.

While a `Card` is on, `cuda` is a device. Its tensors are the CPU's, and a mark on their storage says that they lie
on the card. One mode of torch sees every call of its Python interface, where devices are named; another sees every
operation that the dispatcher is asked for, autograd's among them. Since the tensors are no class of their own,
bitsandbytes' parameters, custom operations and safetensors take them as they are.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.device.call import NO_CALL, Call, tensors_in
from tests.device.card import RTX_4090, Model
from tests.device.counts import Counts, line
from tests.device.memory import Memory, Storages
from tests.device.movers import MOVERS, as_device
from tests.device.stand_ins import PRODUCTS, STAND_INS, stand_in_for_cuda

CUDA = torch.device("cuda", 0)
BY_CPU_INDEX = {"index", "index_put", "index_put_", "_index_put_impl_"}
"""Operations that bring indices to the card by themselves."""


class MixedDevicesError(RuntimeError):
    """An operation was given tensors of the card and of the CPU."""


class Card:
    """A card that is on while it is entered; what it counted and held can be read afterwards."""

    def __init__(self, model: Model = RTX_4090, size: int | None = None) -> None:
        """Takes what it claims to be, and bytes of memory where they are not the model's."""
        self.model = model
        self.memory = Memory(model.memory if size is None else size)
        self.pinned = Storages()
        self.counts = Counts()
        self.calls = _Calls(self)
        self._operations = _Operations(self)
        self._made_in: list[Call] = []
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._exits.enter_context(self._patched())
        self._exits.enter_context(self._operations)
        self._exits.enter_context(self.calls)
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    @contextlib.contextmanager
    def _patched(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            stand_in_for_cuda(self, patch)
            yield

    def holds(self, value: object) -> bool:
        """Whether it is a tensor on the card."""
        if not isinstance(value, Tensor):
            return False
        with torch._C.DisableTorchFunction():
            return value.layout is torch.strided and value in self.memory

    def call(self, call: Call, work: Callable[[], Any]) -> Any:
        """Does the work of a call, in which new tensors are made."""
        self._made_in.append(call)
        try:
            return work()
        finally:
            self._made_in.pop()

    def moved(self, tensor: Tensor, *, to_card: bool, non_blocking: bool = False) -> Tensor:
        """A copy on the other side, counted as a transfer."""
        with torch._C.DisableTorchFunction():
            if to_card:
                self.counts.sending(waits=not (non_blocking and tensor in self.pinned))
            else:
                self.counts.fetching()
            with torch._C._DisableTorchDispatch():
                copy = tensor.detach().clone()
            if to_card:
                self.memory.take(copy)
            return copy

    def operate(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs an operation of the dispatcher.

        Raises:
            MixedDevicesError: its tensors are not all in one place.
            torch.OutOfMemoryError: what it makes does not fit.
        """
        tensors = [tensor for tensor in tensors_in((args, kwargs.values())) if _is_real(tensor)]
        keys = [id(tensor.untyped_storage()) for tensor in tensors]
        on_card = [key in self.memory.known for key in keys]
        any_there = True in on_card
        if any_there:
            self._check(op, args, tensors, on_card)
        found = (STAND_INS.get(op, op) if any_there else op)(*args, **kwargs)
        call = self._made_in[-1] if self._made_in else NO_CALL
        there = call.device == "cuda" if call.device is not None else any_there
        if there or (not tensors and call.device is None and any(map(self.holds, tensors_in(call.args)))):
            for made in tensors_in(found):
                if _is_real(made) and id(made.untyped_storage()) not in keys:
                    self.memory.take(made)
        return found

    def _check(self, op: Any, args: tuple[Any, ...], tensors: list[Tensor], on_card: list[bool]) -> None:
        """Counts an operation on tensors of the card, and sees that all of them are there."""
        name = op.overloadpacket.__name__
        if name in {"copy_", "_foreach_copy_"} and not all(on_card):
            self._count_copies(args)
            return
        off = [tensor for tensor, there in zip(tensors, on_card, strict=True) if not there]
        if name in BY_CPU_INDEX:
            brought = [i for i in args[1] if isinstance(i, Tensor) and i not in self.memory]
            off = [tensor for tensor in off if not any(tensor is index for index in brought)]
            for _ in brought:
                self.counts.sending(waits=True)
        if wrong := [tuple(tensor.shape) for tensor in off if tensor.dim() or name.startswith("_fused")]:
            raise MixedDevicesError(
                f"{line()}: {op} of tensors on the card got some on the CPU, of shapes {wrong}"
            )
        if name in PRODUCTS and not self.model.has_bf16 and any(t.dtype == torch.bfloat16 for t in tensors):
            raise RuntimeError(f"{line()}: {self.model.name} has no bfloat16 for {op}")
        self.counts.operation(op, args)

    def _count_copies(self, args: tuple[Any, ...]) -> None:
        non_blocking = len(args) > 2 and bool(args[2])
        for target, source in zip(tensors_in(args[0]), tensors_in(args[1]), strict=True):
            if target in self.memory and source not in self.memory:
                self.counts.sending(waits=not (non_blocking and source in self.pinned))
            elif source in self.memory and target not in self.memory:
                self.counts.fetching(waits=not (non_blocking and target in self.pinned))


def _is_real(tensor: Tensor) -> bool:
    return tensor.is_cpu and tensor.layout is torch.strided


class _Operations(TorchDispatchMode):
    def __init__(self, card: Card) -> None:
        super().__init__()
        self._card = card

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunction():
            return self._card.operate(op, args, kwargs or {})


class _Calls(TorchFunctionMode):
    def __init__(self, card: Card) -> None:
        super().__init__()
        self._card = card

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if (mover := MOVERS.get(func)) is not None:
            return mover(self._card, func, *args, **kwargs)
        if getattr(func, "__name__", None) == "__get__":
            return func(*args, **kwargs)
        device, pinned = kwargs.get("device"), kwargs.get("pin_memory")
        kind = None
        if device is not None:
            kind = torch.device(as_device(device)).type
            kwargs = kwargs | ({"device": "cpu"} if kind == "cuda" else {})
        if pinned:
            kwargs = kwargs | {"pin_memory": False}
        found = self._card.call(Call(kind, (args, kwargs)), lambda: func(*args, **kwargs))
        if pinned:
            self._card.pinned.add(found)
        return found
