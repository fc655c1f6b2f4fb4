"""AdamW over float32 copies of small weights that are held in bfloat16.

LoRA runs fastest in the encoder's own type, but bfloat16 has 8 bits of mantissa and loses most updates. The
optimizer therefore keeps float32 originals; modules are small, so this costs little memory.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import bitsandbytes as bnb
import torch
from torch import Tensor, nn

SHARED = ("qmap1", "qmap2")
"""Tables of 8-bit values that all parameters have in common, which safetensors would refuse."""


class MasterAdamW:
    """AdamW with warm-up and linear decay over named groups of parameters.

    Source: Loshchilov and Hutter 2019 (arXiv:1711.05101); master weights: Micikevicius et al. 2018
    (arXiv:1710.03740, section 3.1).
    """

    def __init__(
        self,
        groups: Sequence[tuple[float, Mapping[str, nn.Parameter]]],
        *,
        weight_decay: float,
        clip_norm: float,
        updates: int,
        warmup: float,
        eight_bit: bool = False,
    ) -> None:
        """Takes over the parameters.

        Args:
            groups: parameters by name, with the peak learning rate of each group.
            weight_decay: AdamW's.
            clip_norm: largest norm of the gradient.
            updates: how many there will be.
            warmup: share of them over which the rate rises.
            eight_bit: keep moments in 8 bits, in blocks (Dettmers et al. 2022, arXiv:2110.02861); on CUDA in
                pages that the CPU's memory can take.
        """
        self.parameters = {name: p for _, named in groups for name, p in named.items()}
        self.masters = {name: p.detach().float().clone() for name, p in self.parameters.items()}
        self.clip_norm = clip_norm
        self.updates = updates
        self.warmup = max(1, round(warmup * updates))
        rates = [{"params": [self.masters[name] for name in named], "lr": lr, "peak": lr} for lr, named in groups]
        self._adamw = _adamw(rates, weight_decay, on_cuda=self._on_cuda, eight_bit=eight_bit)

    @property
    def _on_cuda(self) -> bool:
        return any(master.is_cuda for master in self.masters.values())

    def accumulate(self) -> None:
        """Adds the parameters' gradients to those of the originals and clears them."""
        learned = [name for name, parameter in self.parameters.items() if parameter.grad is not None]
        masters = [self.masters[name] for name in learned]
        gradients = _in_float32([self.parameters[name].grad for name in learned])
        both = [(master.grad, gradient) for master, gradient in zip(masters, gradients, strict=True)]
        if sums := [(known, added) for known, added in both if known is not None]:
            torch._foreach_add_([known for known, _ in sums], [added for _, added in sums])
        for name, master, (known, gradient) in zip(learned, masters, both, strict=True):
            master.grad = gradient if known is None else known
            self.parameters[name].grad = None

    def forget_gradients(self) -> None:
        """Drops what was accumulated since the last step."""
        for tensor in [*self.masters.values(), *self.parameters.values()]:
            tensor.grad = None

    def step(self, update: int) -> None:
        """Makes update number `update`, counted from 0; a GPU is not waited for."""
        share = self.rate(update)
        for group in self._adamw.param_groups:
            group["lr"] = group["peak"] * share
        nn.utils.clip_grad_norm_(list(self.masters.values()), self.clip_norm)
        self._adamw.step()
        self._adamw.zero_grad()
        self._publish()

    def rate(self, update: int) -> float:
        """Share of the peak rate: linear up over the warm-up, linear down to zero."""
        if update < self.warmup:
            return (update + 1) / self.warmup
        return max(0.0, (self.updates - update) / max(1, self.updates - self.warmup))

    @property
    def learning_rate(self) -> float:
        """That of the first group in the last update."""
        return float(self._adamw.param_groups[0]["lr"])

    def weights(self) -> dict[str, Tensor]:
        """The float32 originals by name."""
        return dict(self.masters)

    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Puts other values into the originals and the parameters."""
        for name, master in self.masters.items():
            master.copy_(weights[name])
        self._publish()

    def moments(self) -> dict[str, Tensor]:
        """AdamW's state as tensors, to write into a checkpoint."""
        return {
            f"{name}.{key}": torch.as_tensor(value).clone() if key in SHARED else torch.as_tensor(value)
            for name, master in self.masters.items()
            for key, value in self._adamw.state[master].items()
        }

    def set_moments(self, moments: Mapping[str, Tensor]) -> None:
        """Takes up the state that `moments` gave."""
        for name, master in self.masters.items():
            prefix = f"{name}."
            state = {key.removeprefix(prefix): value for key, value in moments.items() if key.startswith(prefix)}
            if state:
                self._adamw.state[master] = {key: self._placed(key, value, master) for key, value in state.items()}

    def _placed(self, key: str, value: Tensor, master: Tensor) -> Any:
        """A part of the state where AdamW looks for it; bitsandbytes counts steps in plain numbers."""
        if key != "step":
            return value.to(master.device).clone()
        if not isinstance(self._adamw, torch.optim.AdamW):
            return int(value)
        return value.to(master.device if self._on_cuda else "cpu").clone()

    @torch.no_grad()
    def _publish(self) -> None:
        masters = [self.masters[name] for name in self.parameters]
        torch._foreach_copy_(list(self.parameters.values()), masters)


def _adamw(groups: list[dict[str, Any]], weight_decay: float, *, on_cuda: bool, eight_bit: bool) -> Any:
    if eight_bit:
        kind = bnb.optim.PagedAdamW8bit if on_cuda else bnb.optim.AdamW8bit
        return kind(groups, weight_decay=weight_decay)
    # One launch for all weights, where each launch counts; it keeps its count of steps on the GPU.
    return torch.optim.AdamW(groups, weight_decay=weight_decay, fused=on_cuda)


def _in_float32(gradients: list[Any]) -> list[Tensor]:
    """Copies of those that are of another type, made together; the others themselves."""
    if all(gradient.dtype == torch.float32 for gradient in gradients):
        return gradients
    copies = [torch.empty_like(gradient, dtype=torch.float32) for gradient in gradients]
    torch._foreach_copy_(copies, gradients)
    return copies
