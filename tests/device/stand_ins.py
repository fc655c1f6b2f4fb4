"""What a CPU build of torch and bitsandbytes lack for a card: its kernels, and answers of `torch.cuda`."""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import bitsandbytes as bnb
import pytest
import torch
from torch import Tensor
from torch.nn.attention import varlen  # noqa: F401 - registers the operations
from torch.utils import checkpoint

if TYPE_CHECKING:
    from tests.device.disguise import Card

PRODUCTS = {
    "addmm", "baddbmm", "bmm", "mm", "gemm_4bit", "gemv_4bit", "linear", "_varlen_attn",
    "_scaled_dot_product_flash_attention_for_cpu",
}  # fmt: skip
"""Operations that tensor cores do."""


def _sequences(starts: Tensor, *parts: Tensor) -> Iterator[list[Tensor]]:
    """The parts `[tokens, heads, width]` of each sequence, as `[heads, tokens, width]` in float32."""
    for start, end in itertools.pairwise(starts.tolist()):
        yield [part[start:end].transpose(0, 1).float() for part in parts]


def _in_a_row(found: list[Tensor], like: Tensor) -> Tensor:
    return torch.cat(found, dim=1).transpose(0, 1).to(like.dtype)


def _weights(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])).softmax(-1)


def _varlen(query: Tensor, key: Tensor, value: Tensor, starts: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    found = [_weights(q, k) @ v for q, k, v in _sequences(starts, query, key, value)]
    return _in_a_row(found, query), torch.zeros(query.shape[:2]), torch.zeros(2, dtype=torch.uint64)


def _varlen_backward(
    outer: Tensor, query: Tensor, key: Tensor, value: Tensor, out: Tensor, sums: Tensor, starts: Tensor, *_: Any
) -> tuple[Tensor, ...]:
    found: tuple[list[Tensor], ...] = ([], [], [])
    for g, q, k, v in _sequences(starts, outer, query, key, value):
        weights = _weights(q, k)
        to_weights = g @ v.transpose(1, 2)
        to_scores = weights * (to_weights - (to_weights * weights).sum(-1, keepdim=True)) / math.sqrt(q.shape[-1])
        for kept, gradient in zip(
            found, (to_scores @ k, to_scores.transpose(1, 2) @ q, weights.transpose(1, 2) @ g), strict=True
        ):
            kept.append(gradient)
    return tuple(_in_a_row(kept, query) for kept in found)


STAND_INS = {
    torch.ops.torch_attn._varlen_attn.default: _varlen,
    torch.ops.torch_attn._varlen_attn_backward.default: _varlen_backward,
}
"""Kernels that a CPU has not."""


class _Stream:
    """The one stream there is, and its events."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def stand_in_for_cuda(card: "Card", patch: pytest.MonkeyPatch) -> None:
    """Has `torch.cuda` speak of the card, and bitsandbytes' pages be ordinary memory."""
    for name, answer in {**_about_model(card), **_about_memory(card), **ONE_DEVICE, **ITS_RANDOM_NUMBERS}.items():
        patch.setattr(torch.cuda, name, answer)
    # Tensors are looked at within calls of torch, where modes are off.
    patch.setitem(checkpoint._allowed_determinism_checks_to_fns, "default", lambda t: (t.shape, t.dtype))
    patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", _groups(card))
    patch.setattr(bnb.functional, "get_paged", _paged)
    patch.setattr(bnb.functional, "prefetch_tensor", lambda *_, **__: None)
    patch.setattr(bnb.functional, "fill", lambda tensor, value, *_, **__: tensor.fill_(value))


ONE_DEVICE: dict[str, Any] = {
    "is_available": lambda: True,
    "is_initialized": lambda: True,
    "_lazy_init": lambda: None,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "set_device": lambda *_: None,
    "device": lambda *_: contextlib.nullcontext(),
    "stream": lambda *_: contextlib.nullcontext(),
    "Stream": _Stream,
    "Event": _Stream,
    "current_stream": _Stream,
    "default_stream": _Stream,
}
ITS_RANDOM_NUMBERS: dict[str, Any] = {
    "get_rng_state": lambda *_: torch.get_rng_state(),
    "set_rng_state": lambda state, *_: torch.set_rng_state(state),
    "manual_seed": lambda *_: None,
    "manual_seed_all": lambda *_: None,
}
"""They are the CPU's."""


def _about_model(card: "Card") -> dict[str, Any]:
    model = card.model
    major, minor = model.capability
    properties = SimpleNamespace(name=model.name, total_memory=card.memory.size, major=major, minor=minor)
    return {
        "get_device_name": lambda *_: model.name,
        "get_device_capability": lambda *_: model.capability,
        "get_device_properties": lambda *_: properties,
        "is_bf16_supported": lambda including_emulation=True: model.has_bf16 or including_emulation,
    }


def _about_memory(card: "Card") -> dict[str, Any]:
    memory = card.memory

    def emptied() -> None:
        card.counts.caches_emptied += 1

    def reset(*_: Any) -> None:
        memory.peak = memory.alive

    return {
        "mem_get_info": lambda *_: (memory.size - memory.alive, memory.size),
        "memory_allocated": lambda *_: memory.alive,
        "max_memory_allocated": lambda *_: memory.peak,
        "reset_peak_memory_stats": reset,
        "empty_cache": emptied,
        "synchronize": lambda *_: card.counts.waiting("synchronize"),
    }


def _groups(card: "Card") -> Callable[..., Any]:
    """Torch's grouping of tensors by device and type, which it does in C++."""
    original = torch._C._group_tensors_by_device_and_dtype

    def grouped(lists: list[list[Tensor | None]], with_indices: bool = False) -> dict[Any, Any]:
        found = {}
        for there, device in ((True, torch.device("cuda", 0)), (False, torch.device("cpu"))):
            chosen = [i for i, first in enumerate(lists[0]) if card.holds(first) == there]
            if not chosen:
                continue
            some = [[each[i] for i in chosen] if each else [] for each in lists]
            for (_, dtype), (members, indices) in original(some, with_indices).items():
                found[device, dtype] = (members, [chosen[i] for i in indices])
        return found

    return grouped


def _paged(*shape: int, dtype: torch.dtype = torch.float32, device: Any = "cuda") -> Tensor:
    found = torch.empty(*shape, dtype=dtype, device=device)
    found.is_paged, found.page_deviceid = True, 0  # type: ignore[attr-defined]
    return found
