"""LoRA over the frozen encoder, through PEFT."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import nn

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import TrainingError
from lowres_stilts.modules.collapse import LoraLayer
from lowres_stilts.modules.fusion import FUSION, Fusion, parts_of
from lowres_stilts.modules.loftq import make_up_for_quantization
from lowres_stilts.modules.lora_nf4 import compute_in_one_step
from lowres_stilts.modules.names import check_layers, peft_name

ATTENTION_TARGETS = ("query", "key", "value", "attention.output.dense")
LINEAR_LAYERS = ("query", "key", "value", "dense")


class ModuleStack:
    """The encoder with named modules over it; all active ones are summed, one may be trained.

    It changes the encoder in place: PEFT wraps its linear layers. The bare encoder is what is left when no
    module is active.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._peft: PeftModel | None = None
        self._fused: dict[str, Fusion] = {}

    @property
    def model(self) -> nn.Module:
        """Call it like the encoder."""
        model: nn.Module = self._encoder.model if self._peft is None else self._peft
        return model

    def add_lora(
        self,
        name: str,
        *,
        rank: int,
        alpha: float,
        targets: str | Sequence[str],
        dropout: float = 0.0,
        rslora: bool = False,
        dora: bool = False,
        init: Literal["default", "gaussian", "loftq"] = "default",
        layers: Sequence[int] | None = None,
    ) -> None:
        """Adds a LoRA that changes nothing yet: A is random, B is zero (Hu et al. 2021, section 4.1).

        Args:
            name: what to call it.
            rank: rank of the update.
            alpha: the update is scaled by `alpha / rank`.
            targets: `all-linear`, `attention`, the ends of module names, or an expression for whole names.
            dropout: on its input.
            rslora: scaled by `alpha / sqrt(rank)` instead.
            dora: with a learned norm for every output.
            init: `gaussian` draws A so; `loftq` has the update make up for NF4's error from the start.
            layers: the encoder's layers that have it; all where it is not given.

        Raises:
            TrainingError: the encoder has no layer of these names or numbers.
        """
        names = list(ATTENTION_TARGETS) if targets == "attention" else targets
        if layers is not None:
            check_layers(layers, self._encoder.model.config)
            names = _in_layers(names, layers)
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=names if isinstance(names, str) else list(names),
            use_rslora=rslora,
            use_dora=dora,
            init_lora_weights="gaussian" if init == "gaussian" else True,
        )
        try:
            if self._peft is None:
                self._peft = get_peft_model(
                    self._encoder.model, config, adapter_name=peft_name(name), autocast_adapter_dtype=False
                )
            else:
                self._peft.add_adapter(peft_name(name), config, autocast_adapter_dtype=False)
        except ValueError as error:
            raise TrainingError(f"module.targets: {' '.join(str(error).split())}") from error
        self._cast(name)
        if init == "loftq":
            make_up_for_quantization(self._encoder, self._layers(name), peft_name(name))

    def add_collapsed(self, name: str, layers: Mapping[str, LoraLayer]) -> None:
        """Adds a trained module from its weights, by layer of the encoder.

        Raises:
            TrainingError: the encoder has other layers.
        """
        rank = next(iter(layers.values())).a.shape[0]
        dora = any(layer.magnitude is not None for layer in layers.values())
        self.add_lora(name, rank=rank, alpha=rank, targets=list(layers), dora=dora)
        own = self._layers(name)
        if set(own) != set(layers):
            raise TrainingError(
                f"module {name} is for another encoder: it has {len(layers)} layers, not {len(own)}; "
                "take the one it was made for"
            )
        with torch.no_grad():
            for path, layer in layers.items():
                own[path].lora_A[peft_name(name)].weight.copy_(layer.a)
                own[path].lora_B[peft_name(name)].weight.copy_(layer.b * layer.scaling)
                if layer.magnitude is not None:
                    own[path].lora_magnitude_vector[peft_name(name)].weight.copy_(layer.magnitude)

    def fuse(self, name: str, parts: Sequence[str]) -> None:
        """Makes the weights of trained modules, layer by layer, something for module `name` to learn."""
        self._fused[name] = Fusion({part: self._layers(part) for part in parts}, self._encoder.device)

    def merge(self, name: str, weights: Mapping[str, float], *, method: str, density: float, seed: int) -> None:
        """Adds or replaces a module that is the weighted sum of others.

        Args:
            name: what to call it.
            weights: by module; one without weight takes no part.
            method: PEFT's combination type; `cat` is the exact sum, of summed rank.
            density: the share of values that TIES and DARE keep.
            seed: of what DARE drops.

        Raises:
            TrainingError: the modules do not fit each other.
        """
        model: Any = self._peft
        torch.manual_seed(seed)
        parts = {peft_name(part): weight for part, weight in weights.items() if weight}
        if peft_name(name) in model.peft_config:
            self.activate([part for part, weight in weights.items() if weight])  # PEFT warns if it must choose
            model.delete_adapter(peft_name(name))
        try:
            model.base_model.add_weighted_adapter(
                list(parts),
                list(parts.values()),
                peft_name(name),
                combination_type=method,
                density=None if method in {"cat", "linear"} else density,
            )
        except ValueError as error:
            raise TrainingError(f"target.merge: {' '.join(str(error).split())}") from error
        self._cast(name)

    def merged(self) -> nn.Module:
        """The encoder with the active modules in its weights, which must not be quantized; the stack ends here."""
        if self._peft is None:
            return self.model
        model: nn.Module = self._peft.merge_and_unload()
        return model

    def activate(self, names: Sequence[str], *, train: str | None = None) -> None:
        """Makes these modules take part in the forward pass, and one of them learn.

        Raises:
            TrainingError: the module to train has no trainable parameters.
        """
        if self._peft is None:
            return
        if not names:
            self._peft.base_model.disable_adapter_layers()
            return
        self._peft.base_model.enable_adapter_layers()
        self._peft.base_model.set_adapter([peft_name(name) for name in names])
        for name in names:
            for parameter in self._parameters(name).values():
                parameter.requires_grad_(name == train)
        if train is not None and not self.trainable(train):
            raise TrainingError(f"module {train} has nothing to train; check module.targets and module.layers")

    def trainable(self, name: str) -> dict[str, nn.Parameter]:
        """The parameters of a module that learn, by name."""
        return {key: value for key, value in self._parameters(name).items() if value.requires_grad}

    def state(self, name: str) -> dict[str, torch.Tensor]:
        """The weights of a module, by name."""
        return {key: value.detach() for key, value in self._parameters(name).items()}

    def write(self, name: str, folder: Path) -> None:
        """Writes a module into an existing folder, in PEFT's format."""
        if self._peft is None:
            raise TrainingError(f"there is no module {name} to save")
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            self._peft.peft_config[peft_name(name)].base_model_name_or_path = self._encoder.base_id
            try:
                self._peft.save_pretrained(
                    scratch, selected_adapters=[peft_name(name)], save_embedding_layers=False
                )
            except SafetensorError as error:  # its name for a full disk
                raise OSError(str(error)) from error
            if name in self._fused:
                self._fused[name].write(folder / FUSION)
            # PEFT writes a module that is not called "default" into a folder of its name.
            for file in (Path(scratch) / peft_name(name)).iterdir():
                file.rename(folder / file.name)

    def load(self, name: str, folder: Path) -> None:
        """Adds a module that `write` wrote; one that fuses others, after those.

        Raises:
            TrainingError: the folder holds no module for this encoder.
        """
        try:
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(
                    self._encoder.model, folder, adapter_name=peft_name(name), autocast_adapter_dtype=False
                )
            else:
                self._peft.load_adapter(folder, adapter_name=peft_name(name), autocast_adapter_dtype=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{folder}: cannot be loaded: {' '.join(str(error).split())}") from error
        self._cast(name)
        if (folder / FUSION).exists():
            self.fuse(name, parts_of(folder / FUSION))
            self._fused[name].load(folder / FUSION)

    def _layers(self, name: str) -> dict[str, Any]:
        """PEFT's layers that have a module, by the layer's name in the encoder."""
        model = self._peft.base_model.model if self._peft else None
        named = model.named_modules() if model is not None else ()
        return {path: layer for path, layer in named if peft_name(name) in getattr(layer, "lora_A", ())}

    def _cast(self, name: str) -> None:
        """Gives a module the type of the encoder's activations, so that nothing is converted on the way."""
        for parameter in self._lora_parameters(name).values():
            parameter.data = parameter.data.to(self._encoder.dtype)
        compute_in_one_step(self.model)

    def _parameters(self, name: str) -> dict[str, nn.Parameter]:
        fused = self._fused[name].weights if name in self._fused else {}
        return self._lora_parameters(name) | fused

    def _lora_parameters(self, name: str) -> dict[str, nn.Parameter]:
        if self._peft is None:
            return {}
        marker = f".{peft_name(name)}."
        return {key: value for key, value in self._peft.named_parameters() if marker in f"{key}."}


def _in_layers(targets: str | Sequence[str], layers: Sequence[int]) -> str:
    """An expression for the names of these linear layers within these layers of the encoder."""
    ends = LINEAR_LAYERS if targets == "all-linear" else targets
    names = ends if isinstance(ends, str) else rf".*\.(?:{'|'.join(map(re.escape, ends))})"
    return rf"(?=(?:.*\.)?encoder\.layer\.(?:{'|'.join(map(str, layers))})\.)(?:{names})"
