"""The small module that a phase trains."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from lowres_stilts.plugins import one_of
from lowres_stilts.recipe.settings import Positive, Settings

LORA_KEYS = {"alpha", "rank", "targets", "rslora", "dora", "init"}
BOTTLENECK_KEYS = {"adapter", "reduction"}


class ModuleSettings(Settings):
    """The small module that a phase trains."""

    kind: Annotated[str, one_of("kinds", "lora", "bottleneck", "language")] = "lora"
    """LoRA, through PEFT (Hu et al. 2021, arXiv:2106.09685); a bottleneck adapter, through AdapterHub; or, in the
    section `languages` only, a language adapter of MAD-X (Pfeiffer et al. 2020, arXiv:2005.00052)."""
    rank: Positive = 16
    """Rank of the update."""
    alpha: Annotated[float, Field(gt=0)] = 32
    """The update is scaled by `alpha / rank`."""
    targets: str | list[str] = "all-linear"
    """Which linear layers of the encoder get an update: `all-linear`, `attention`, the ends of module names in a
    list, or one regular expression for whole names."""
    rslora: bool = False
    """Scale by `alpha / sqrt(rank)`, which keeps large ranks learning (Kalajdzievski 2023, arXiv:2312.03732)."""
    dora: bool = False
    """Learn the norm of every weight column beside its direction (Liu et al. 2024, arXiv:2402.09353); slower, and
    no sum with other modules, so it goes with the transfer modes `continue` and `none` only."""
    init: Literal["default", "gaussian", "loftq"] = "default"
    """`default` and `gaussian` draw A and leave B at zero (PEFT's names); `loftq` makes up for NF4's error (Li et
    al. 2023, arXiv:2310.08659) and wants to be the lowest module. PiSSA and its like change the encoder's own
    weights, which quantized ones do not allow."""
    adapter: Literal["seq_bn", "double_seq_bn", "par_bn"] = "seq_bn"
    """Bottleneck: after each feed-forward block (Pfeiffer et al. 2021, arXiv:2005.00247), after attention too
    (Houlsby et al. 2019, arXiv:1902.00751), or beside each of them (He et al. 2022, arXiv:2110.04366)."""
    reduction: Positive = 16
    """Bottleneck: how many times narrower than the hidden states it is."""
    layers: Annotated[str, Field(pattern=r"^\d+(-\d+)?(,\d+(-\d+)?)*$")] | None = None
    """The encoder's layers that have the module, counted from 0, such as `6-11` or `0,4-6`; all where it is not
    given. Layers below the first are computed once: see `train.reuse_lower_layers`."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout on LoRA's input or an adapter's output. On LoRA it takes up to half of a CPU step."""
    options: dict[str, Any] = {}
    """Settings of a kind that a plug-in adds."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        others = {
            "lora": BOTTLENECK_KEYS | {"options"},
            "bottleneck": LORA_KEYS | {"options"},
            "language": LORA_KEYS | {"adapter", "options"},
        }
        for key in sorted(others.get(self.kind, LORA_KEYS | BOTTLENECK_KEYS) & self.model_fields_set):
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} is no setting of kind {self.kind}; remove it")
        return self

    @property
    def chosen_layers(self) -> tuple[int, ...] | None:
        """The layers by number, or None for all."""
        if self.layers is None:
            return None
        ranges = [[int(end) for end in part.split("-")] for part in self.layers.split(",")]
        return tuple(sorted({layer for ends in ranges for layer in range(ends[0], ends[-1] + 1)}))

    @field_validator("layers")
    @classmethod
    def _has_layers(cls, layers: str | None) -> str | None:
        for part in (layers or "").split(","):
            first, _, last = part.partition("-")
            if last and int(last) < int(first):
                raise ValueError(f"{part} has no layers; write the lower number first")
        return layers

    @field_validator("targets")
    @classmethod
    def _is_an_expression(cls, targets: str | list[str]) -> str | list[str]:
        try:
            re.compile(targets if isinstance(targets, str) else "")
        except re.error as error:
            raise ValueError(f"{targets!r} is no group of layers and no regular expression ({error})") from None
        return targets
