"""LoRA over the frozen encoder, through PEFT."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import nn

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import TrainingError
from lowres_stilts.modules.collapse import LoraLayer

PREFIX = "stilts_"
ATTENTION_TARGETS = ("query", "key", "value", "attention.output.dense")


class ModuleStack:
    """The encoder with named modules over it; all active ones are summed, one may be trained.

    It changes the encoder in place: PEFT wraps its linear layers. The bare encoder is what is left when no
    module is active.

    PEFT tells modules apart by looking for their names anywhere in the names of weights, and leaves a layer that
    is called like one of them out of the others' files; XLM-R has layers called "intermediate". In PEFT, modules
    therefore bear a prefix that no layer has.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder.model
        self._base_id = encoder.base_id
        self._dtype = encoder.dtype
        self._peft: PeftModel | None = None

    @property
    def model(self) -> nn.Module:
        """Call it like the encoder."""
        model: nn.Module = self._encoder if self._peft is None else self._peft
        return model

    def add_lora(
        self, name: str, *, rank: int, alpha: float, targets: str | Sequence[str], dropout: float = 0.0
    ) -> None:
        """Adds a LoRA that changes nothing yet: A is random, B is zero (Hu et al. 2021, section 4.1).

        Args:
            name: what to call it.
            rank: rank of the update.
            alpha: the update is scaled by `alpha / rank`.
            targets: `all-linear`, `attention`, or the ends of module names.
            dropout: on its input.

        Raises:
            TrainingError: the encoder has no layer of these names.
        """
        names = list(ATTENTION_TARGETS) if targets == "attention" else targets
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=names if isinstance(names, str) else list(names),
        )
        try:
            if self._peft is None:
                self._peft = get_peft_model(
                    self._encoder, config, adapter_name=PREFIX + name, autocast_adapter_dtype=False
                )
            else:
                self._peft.add_adapter(PREFIX + name, config, autocast_adapter_dtype=False)
        except ValueError as error:
            raise TrainingError(f"module.targets: {' '.join(str(error).split())}") from error
        self._cast(name)

    def add_collapsed(self, name: str, layers: Mapping[str, LoraLayer]) -> None:
        """Adds a trained module from its weights, by layer of the encoder.

        Raises:
            TrainingError: the encoder has other layers.
        """
        rank = next(iter(layers.values())).a.shape[0]
        self.add_lora(name, rank=rank, alpha=rank, targets=list(layers))
        own = self._layers(name)
        if set(own) != set(layers):
            raise TrainingError(
                f"module {name} is for another encoder: it has {len(layers)} layers, not {len(own)}"
            )
        with torch.no_grad():
            for path, layer in layers.items():
                own[path].lora_A[PREFIX + name].weight.copy_(layer.a)
                own[path].lora_B[PREFIX + name].weight.copy_(layer.b * layer.scaling)

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
        self._peft.base_model.set_adapter([PREFIX + name for name in names])
        for name in names:
            for parameter in self._parameters(name).values():
                parameter.requires_grad_(name == train)
        if train is not None and not self.trainable(train):
            raise TrainingError(f"module {train} has nothing to train")

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
            self._peft.peft_config[PREFIX + name].base_model_name_or_path = self._base_id
            try:
                self._peft.save_pretrained(scratch, selected_adapters=[PREFIX + name], save_embedding_layers=False)
            except SafetensorError as error:  # its name for a full disk
                raise OSError(str(error)) from error
            # PEFT writes a module that is not called "default" into a folder of its name.
            for file in (Path(scratch) / (PREFIX + name)).iterdir():
                file.rename(folder / file.name)

    def load(self, name: str, folder: Path) -> None:
        """Adds a module that `write` wrote.

        Raises:
            TrainingError: the folder holds no module for this encoder.
        """
        try:
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(
                    self._encoder, folder, adapter_name=PREFIX + name, autocast_adapter_dtype=False
                )
            else:
                self._peft.load_adapter(folder, adapter_name=PREFIX + name, autocast_adapter_dtype=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{folder}: cannot be loaded: {' '.join(str(error).split())}") from error
        self._cast(name)

    def _layers(self, name: str) -> dict[str, Any]:
        """PEFT's layers that have a module, by the layer's name in the encoder."""
        model = self._peft.base_model.model if self._peft else None
        named = model.named_modules() if model is not None else ()
        return {path: layer for path, layer in named if PREFIX + name in getattr(layer, "lora_A", ())}

    def _cast(self, name: str) -> None:
        """Gives a module the type of the encoder's activations, so that nothing is converted on the way."""
        for parameter in self._parameters(name).values():
            parameter.data = parameter.data.to(self._dtype)

    def _parameters(self, name: str) -> dict[str, nn.Parameter]:
        if self._peft is None:
            return {}
        marker = f".{PREFIX}{name}."
        return {key: value for key, value in self._peft.named_parameters() if marker in key}
