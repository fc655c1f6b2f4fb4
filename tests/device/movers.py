"""Calls of torch that ask where a tensor is, or take it elsewhere, as they are on a disguised card."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tests.device.call import Call

if TYPE_CHECKING:
    from tests.device.disguise import Card

Function = Callable[..., Any]


def as_device(value: Any) -> Any:
    """The card for its number, which a build for CPUs does not know; anything else as it is."""
    return torch.device("cuda", value) if isinstance(value, int) and not isinstance(value, bool) else value


class _Moved(torch.autograd.Function):
    """A copy on the other side; its gradient comes back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, card: "Card", to_card: bool, non_blocking: bool) -> Tensor:
        ctx.card, ctx.back = card, not to_card
        return card.moved(tensor, to_card=to_card, non_blocking=non_blocking)

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> tuple[Tensor, None, None, None]:
        return ctx.card.moved(outer[0], to_card=ctx.back), None, None, None


def _move(card: "Card", tensor: Tensor, device: torch.device, *, non_blocking: bool = False) -> Tensor:
    """The tensor where it is to be: itself, if it is there already."""
    if device.type == "meta":
        return Tensor.to(tensor, device)
    to_card = device.type == "cuda"
    if to_card == card.holds(tensor) or tensor.is_meta:
        return tensor
    return _Moved.apply(tensor, card, to_card, non_blocking)


def _device(card: "Card", func: Function, tensor: Tensor, *_: Any) -> torch.device:
    return torch.device("cuda", 0) if card.holds(tensor) else func(tensor)


def _is_cuda(card: "Card", func: Function, tensor: Tensor, *_: Any) -> bool:
    return card.holds(tensor)


def _is_cpu(card: "Card", func: Function, tensor: Tensor, *_: Any) -> bool:
    return func(tensor) and not card.holds(tensor)


def _get_device(card: "Card", func: Function, tensor: Tensor) -> int:
    return 0 if card.holds(tensor) else func(tensor)


def _cpu(card: "Card", func: Function, tensor: Tensor, **_: Any) -> Tensor:
    return _move(card, tensor, torch.device("cpu"))


def _cuda(card: "Card", func: Function, tensor: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    return _move(card, tensor, torch.device("cuda", 0), non_blocking=non_blocking)


def _to(card: "Card", func: Function, tensor: Tensor, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
    if args and isinstance(args[0], Tensor):
        place = torch.device("cuda", 0) if card.holds(args[0]) else args[0].device
        device, dtype, non_blocking = place, args[0].dtype, False
    else:
        args, kwargs = tuple(as_device(arg) for arg in args), {key: as_device(arg) for key, arg in kwargs.items()}
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
    found = tensor if device is None else _move(card, tensor, device, non_blocking=non_blocking)
    if dtype is not None and dtype != found.dtype:
        return func(found, dtype)
    return found.clone() if copy and found is tensor else found


def _numpy(card: "Card", func: Function, tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
    if card.holds(tensor):
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it to the host"
        )
    return func(tensor, *args, **kwargs)


def _tolist(card: "Card", func: Function, tensor: Tensor) -> Any:
    if card.holds(tensor):
        card.counts.fetching()
    return func(tensor)


def _made_of_numbers(card: "Card", func: Function, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
    """Numbers become a tensor on the CPU, which is copied; `new_tensor` has its tensor's device."""
    here = device is None and func is Tensor.new_tensor and card.holds(args[0])
    made = func(*args, **kwargs)
    if here or (device is not None and torch.device(as_device(device)).type == "cuda"):
        return _move(card, made, torch.device("cuda", 0))
    return made if device is None else _move(card, made, torch.device(as_device(device)))


def _pin(card: "Card", func: Function, tensor: Tensor, *_: Any) -> Tensor:
    if card.holds(tensor):
        raise RuntimeError("cannot pin a tensor of the card: only dense CPU tensors can be pinned")
    found = tensor.clone()
    card.pinned.add(found)
    return found


def _is_pinned(card: "Card", func: Function, tensor: Tensor, *_: Any) -> bool:
    return tensor in card.pinned


def _deep_copied(card: "Card", func: Function, tensor: Tensor, memo: Any) -> Tensor:
    found = func(tensor, memo)
    if card.holds(tensor):
        card.memory.take(found)
    return found


def _set_gradient(card: "Card", func: Function, tensor: Tensor, gradient: Tensor | None) -> None:
    if gradient is not None and card.holds(tensor) != card.holds(gradient):
        raise RuntimeError("assigned grad has data located on a different device")
    func(tensor, gradient)


def _backward(
    card: "Card",
    func: Function,
    tensor: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = (),
) -> None:
    first = torch.ones_like(tensor) if gradient is None else gradient
    # The mode is off within a call, but what learns in Python, such as a checkpointed layer, has calls of its own.
    keep = create_graph if retain_graph is None else retain_graph

    def work() -> None:
        with card.calls:
            torch.autograd.graph._engine_run_backward(
                (tensor,),
                (first,),
                keep,
                create_graph,
                tuple(inputs or ()),
                allow_unreachable=True,
                accumulate_grad=True,
            )

    card.call(Call(None, (tensor,)), work)


def _nothing(card: "Card", func: Function, tensor: Tensor, *_: Any) -> None:
    """Streams: there is one."""


MOVERS: dict[Function, Function] = {
    Tensor.device.__get__: _device,
    Tensor.is_cuda.__get__: _is_cuda,
    Tensor.is_cpu.__get__: _is_cpu,
    Tensor.get_device: _get_device,
    Tensor.cpu: _cpu,
    Tensor.cuda: _cuda,
    Tensor.to: _to,
    Tensor.numpy: _numpy,
    Tensor.__array__: _numpy,
    Tensor.tolist: _tolist,
    Tensor.new_tensor: _made_of_numbers,
    torch.tensor: _made_of_numbers,
    torch.as_tensor: _made_of_numbers,
    torch.asarray: _made_of_numbers,
    Tensor.pin_memory: _pin,
    Tensor.is_pinned: _is_pinned,
    Tensor.__deepcopy__: _deep_copied,
    Tensor.grad.__set__: _set_gradient,
    Tensor.backward: _backward,
    Tensor.record_stream: _nothing,
}
"""By what torch calls them when it asks a mode."""
