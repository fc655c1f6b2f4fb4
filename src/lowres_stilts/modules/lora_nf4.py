"""LoRA on a layer in NF4, forward and backward in as few products as it takes.

PEFT and bitsandbytes together dequantize, multiply, copy, scale and add one after the other, in both directions:
on a GPU, starting so many operations takes longer than computing them. Here the LoRA's part is added within its
product, and the weight is dequantized once in each direction.
"""

from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from peft.tuners.lora.bnb import Linear4bit
from torch import Tensor, nn


class _Product(torch.autograd.Function):
    """`x Wᵀ + bias + Σ s (x Aᵀ) Bᵀ` over a frozen W, for rows x `[tokens, in]`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Any, bias: Tensor | None, scalings: list[float], *pairs: Tensor
    ) -> Tensor:
        whole = dequantize_4bit(weight.data, weight.quant_state)
        found = x @ whole.t() if bias is None else torch.addmm(bias, x, whole.t())
        lows = []
        for a, b, scaling in zip(pairs[::2], pairs[1::2], scalings, strict=True):
            lows.append(x @ a.t())
            found.addmm_(lows[-1], b.t(), alpha=scaling)
        learn = [place for place in range(len(scalings)) if ctx.needs_input_grad[4 + 2 * place]]
        ctx.save_for_backward(*pairs, *([x, *(lows[place] for place in learn)] if learn else []))
        ctx.weight, ctx.scalings, ctx.learn = weight, scalings, learn
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        count, learn = len(ctx.scalings), ctx.learn
        saved = ctx.saved_tensors  # once: under checkpointing each look computes anew
        pairs, kept = saved[: 2 * count], saved[2 * count :]
        found: list[Tensor | None] = [None] * (2 * count)
        into_x = None
        if ctx.needs_input_grad[0]:
            into_x = gradient @ dequantize_4bit(ctx.weight.data, ctx.weight.quant_state)
        for place, (a, b, scaling) in enumerate(zip(pairs[::2], pairs[1::2], ctx.scalings, strict=True)):
            low = gradient @ b
            if into_x is not None:
                into_x.addmm_(low, a, alpha=scaling)
            if place in learn:
                x, own = kept[0], kept[1 + learn.index(place)]
                # With beta 0 the first argument gives a shape alone.
                found[2 * place] = torch.addmm(a, low.t(), x, beta=0, alpha=scaling)
                found[2 * place + 1] = torch.addmm(b, gradient.t(), own, beta=0, alpha=scaling)
        return into_x, None, None, None, *found


class OneStepLinear4bit(Linear4bit):  # type: ignore[misc]
    """PEFT's layer, which computes plain LoRAs in one step and leaves all others to PEFT.

    PEFT tells its layers by "Linear" in the names of their classes.
    """

    def forward(self, x: Tensor, *others: Any, **named: Any) -> Tensor:
        """`[..., in]` to `[..., out]`."""
        active = [name for name in self.active_adapters if name in self.lora_A]
        base: Any = self.base_layer
        if others or named or self.merged or self.disable_adapters or not self._is_plain(x, active):
            found: Tensor = super().forward(x, *others, **named)
            return found
        pairs = [part[name].weight for name in active for part in (self.lora_A, self.lora_B)]
        scalings = [self.scaling[name] for name in active]
        rows: Any = _Product.apply(x.flatten(0, -2), base.weight, base.bias, scalings, *pairs)  # type: ignore[no-untyped-call]
        whole: Tensor = rows.view(*x.shape[:-1], -1)
        return whole

    def _is_plain(self, x: Tensor, active: list[str]) -> bool:
        """Whether there is nothing but products: no dropout, no norms, no learned scaling, one type throughout."""
        base: Any = self.base_layer
        state = base.weight.quant_state
        if not active or state is None or state.dtype != x.dtype or x.dim() < 2:
            return False
        return all(
            name not in self.lora_variant
            and isinstance(self.scaling[name], float | int)
            and self.lora_A[name].weight.dtype == x.dtype
            and self.lora_B[name].bias is None
            and not (self.training and _drops(self.lora_dropout[name]))
            for name in active
        )


def _drops(dropout: nn.Module) -> bool:
    return isinstance(dropout, nn.Dropout) and dropout.p > 0


def compute_in_one_step(model: nn.Module) -> None:
    """Has all of PEFT's layers over NF4 compute plain LoRAs in one step."""
    for layer in model.modules():
        if type(layer) is Linear4bit:
            layer.__class__ = OneStepLinear4bit
