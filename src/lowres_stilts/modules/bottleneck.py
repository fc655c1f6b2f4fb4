"""AdapterHub's bottleneck adapters over the frozen encoder: stacked, fused, averaged, and MAD-X for languages."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import adapters
from adapters.composition import Fuse, Stack
from adapters.loading import AdapterFusionLoader
from safetensors import SafetensorError
from torch import Tensor, nn

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import TrainingError
from lowres_stilts.modules.adapter_files import SavedAdapter, read_saved, set_base
from lowres_stilts.modules.adapterhub import adapter_size, can_be_named, fusion_size, give_adapters
from lowres_stilts.modules.names import check_layers

Kind = Literal["seq_bn", "double_seq_bn", "par_bn"]
CONFIGS = {
    "seq_bn": adapters.SeqBnConfig,
    "double_seq_bn": adapters.DoubleSeqBnConfig,
    "par_bn": adapters.ParBnConfig,
}
LOADING_ERRORS = (  # what AdapterHub raises over configurations that it does not understand, too
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    ImportError,
    ArithmeticError,
    AssertionError,
)


class AdapterStack:
    """The encoder with named bottleneck adapters over it; the active ones are stacked, one may be trained.

    It changes the encoder in place: AdapterHub gives it other classes. The bare encoder is what is left when no
    module is active. Fusions are modules too: they stand in the place of those that they fuse.

    Sources: Houlsby et al. 2019 (arXiv:1902.00751, section 2.1), Pfeiffer et al. 2021 (AdapterFusion,
    arXiv:2005.00247, section 3), Pfeiffer et al. 2020 (MAD-X, arXiv:2005.00052, section 4), He et al. 2022
    (parallel adapters, arXiv:2110.04366, section 4).
    """

    def __init__(self, encoder: Encoder) -> None:
        self._model: Any = encoder.model
        self._base_id = encoder.base_id
        self._dtype = encoder.dtype
        self._device = encoder.device
        self._sizes: dict[str, int] = {}
        self._fused: dict[str, tuple[str, ...]] = {}
        give_adapters(encoder.model)

    @property
    def model(self) -> nn.Module:
        """Call it like the encoder."""
        model: nn.Module = self._model
        return model

    def add_bottleneck(
        self,
        name: str,
        *,
        kind: Kind,
        reduction: int,
        dropout: float = 0.0,
        layers: Sequence[int] | None = None,
    ) -> None:
        """Adds an adapter with AdapterHub's initial weights: `par_bn` changes nothing yet, the others little.

        Args:
            name: what to call it.
            kind: `seq_bn` after each feed-forward block, `double_seq_bn` after attention too, `par_bn` beside each
                feed-forward block.
            reduction: the bottleneck is this many times narrower than the hidden states.
            dropout: on its output.
            layers: the encoder's layers that have it; all where it is not given.

        Raises:
            TrainingError: the name, the reduction or the layers will not do.
        """
        self._add(name, CONFIGS[kind], reduction, dropout, layers)

    def add_language(
        self, name: str, *, reduction: int, dropout: float = 0.0, layers: Sequence[int] | None = None
    ) -> None:
        """Adds a language adapter of MAD-X: `seq_bn`, and an invertible coupling (NICE) over the embeddings.

        Raises:
            TrainingError: the name or the reduction will not do.
        """
        self._add(name, adapters.SeqBnInvConfig, reduction, dropout, layers)

    def add_fusion(self, name: str, names: Sequence[str]) -> None:
        """Adds an AdapterFusion of modules: for every token, attention chooses among their outputs.

        Raises:
            TrainingError: the modules are not there, have other places in the layers, or are for languages.
        """
        self._check_name(name)
        self._check_fusable(name, names)
        try:
            self._model.add_adapter_fusion(list(names), config="dynamic", name=name)
        except ValueError as error:
            self._model.delete_adapter_fusion(name)
            raise TrainingError(f"fusion {name}: {_line(error)}") from error
        self._fused[name] = tuple(names)
        self._finish(name, fusion_size(self._model.adapters_config.get(names[0]), self._model.config))

    def average(self, name: str, names: Sequence[str], weights: Sequence[float] | None = None) -> None:
        """Adds the weighted mean of modules of one kind and size; the weights are made to sum to 1.

        Raises:
            TrainingError: the modules are not there or differ, or the weights will not do.
        """
        self._check_name(name)
        self._check_members(name, names)
        if weights is not None and (len(weights) != len(names) or not sum(weights)):
            raise TrainingError(f"module {name}: give {len(names)} weights that do not sum to 0")
        try:
            self._model.average_adapter(name, list(names), weights=None if weights is None else list(weights))
        except ValueError as error:
            self._model.delete_adapter(name)
            raise TrainingError(f"module {name}: {_line(error)}") from error
        self._finish(name, self._sizes[names[0]])

    def merge(self, name: str, weights: Mapping[str, float], *, method: str, density: float, seed: int) -> None:
        """Adds or replaces a module that is the weighted mean of others; adapters cannot be merged otherwise.

        Args:
            name: what to call it.
            weights: by module; one without weight takes no part. They are made to sum to 1.
            method: for LoRA only, as the rest.
            density: see `method`.
            seed: see `method`.

        Raises:
            TrainingError: the modules differ in kind or size.
        """
        if name in self._sizes:
            self._model.delete_adapter(name)
            del self._sizes[name]
        parts = {part: weight for part, weight in weights.items() if weight}
        self.average(name, list(parts), list(parts.values()))

    def activate(self, names: Sequence[str], *, train: str | None = None) -> None:
        """Makes these modules take part in the forward pass, from bottom to top, and one of them learn.

        Raises:
            TrainingError: a module is not there, a language adapter is not at the bottom, or what learns is not
                what should.
        """
        for place, name in enumerate(names):
            if name not in self._sizes:
                raise TrainingError(f"there is no module {name} to activate")
            if place and self._is_language(name):
                raise TrainingError(f"module {name} is a language adapter: it goes to the bottom of the stack")
        blocks = [Fuse(*self._fused[name], name=name) if name in self._fused else name for name in names]
        self._model.set_active_adapters(Stack(*blocks) if blocks else None)
        self._model.requires_grad_(requires_grad=False)
        if train is None:
            return
        if train not in names:
            raise TrainingError(f"module {train} has nothing to train: it is not active")
        for parameter in self._parameters(train).values():
            parameter.requires_grad_()
        learning = sum(p.numel() for p in self._model.parameters() if p.requires_grad)
        if learning != self._sizes[train]:
            raise TrainingError(
                f"module {train} should train {self._sizes[train]} parameters, but {learning} would be trained"
            )

    def invert(self, states: Tensor) -> Tensor:
        """Takes hidden states back through the coupling of the active language adapter, if there is one.

        MAD-X does so before the projection to the vocabulary: `[..., hidden]` to `[..., hidden]`.
        """
        flat = states.reshape(1, -1, states.shape[-1])
        inverse: Tensor = self._model.invertible_adapters_forward(flat, rev=True)
        return inverse.reshape(states.shape)

    def trainable(self, name: str) -> dict[str, nn.Parameter]:
        """The parameters of a module that learn, by name."""
        return {key: value for key, value in self._parameters(name).items() if value.requires_grad}

    def state(self, name: str) -> dict[str, Tensor]:
        """The weights of a module, by name."""
        return {key: value.detach() for key, value in self._parameters(name).items()}

    def write(self, name: str, folder: Path) -> None:
        """Writes a module into an existing folder, in AdapterHub's format; a fusion without what it fuses."""
        if name not in self._sizes:
            raise TrainingError(f"there is no module {name} to save")
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            try:
                if name in self._fused:
                    self._fusion_loader(name).save(scratch, name)
                else:
                    self._model.save_adapter(scratch, name, use_safetensors=True)
            except SafetensorError as error:  # its name for a full disk
                raise OSError(str(error)) from error
            set_base(Path(scratch), self._base_id)
            for file in Path(scratch).iterdir():
                file.rename(folder / file.name)

    def load(self, name: str, folder: Path) -> None:
        """Adds a module that `write` or AdapterHub wrote; what a fusion fuses has to be there already.

        Raises:
            TrainingError: the folder holds no module for this encoder, or files that would be unpickled.
        """
        self._check_name(name)
        saved = read_saved(folder, self._model.config)
        if saved.fused:
            self._check_fusable(name, saved.fused)
        found: dict[str, list[str]] = {}
        try:
            self._load(name, folder, saved, found)
            problems = [*found["missing_keys"], *found["unexpected_keys"]]
            if problems:
                raise ValueError(f"{len(problems)} weights do not fit this encoder, such as {problems[0]}")
        except LOADING_ERRORS as error:
            self._model.delete_adapter(name)
            self._model.delete_adapter_fusion(name)
            raise TrainingError(f"{folder}: cannot be loaded: {_line(error)}") from error
        if saved.fused:
            self._fused[name] = saved.fused
        self._finish(name, saved.size)

    def _load(self, name: str, folder: Path, saved: SavedAdapter, found: dict[str, list[str]]) -> None:
        if saved.fused:
            self._fusion_loader(name).load(str(folder), load_as=name, loading_info=found, set_active=False)
        else:
            self._model.load_adapter(str(folder), load_as=name, use_safetensors=True, loading_info=found)

    def _fusion_loader(self, name: str) -> Any:
        """AdapterHub's, kept from taking "ab" for a part of "a"."""
        loader = AdapterFusionLoader(self._model, use_safetensors=True)
        loader.filter_func = lambda _: lambda key: f"adapter_fusion_layer.{name}." in key
        return loader

    def _add(self, name: str, kind: Any, reduction: int, dropout: float, layers: Sequence[int] | None) -> None:
        self._check_name(name)
        check_layers(layers or (), self._model.config)
        every = range(int(self._model.config.num_hidden_layers))
        left_out = [] if layers is None else [layer for layer in every if layer not in layers]
        config = kind(reduction_factor=self._reduction(reduction), dropout=dropout, leave_out=left_out)
        self._model.add_adapter(name, config=config)
        self._finish(name, adapter_size(config, self._model.config))

    def _finish(self, name: str, size: int) -> None:
        """Gives a new module the encoder's device and type, so that nothing is converted on the way."""
        parameters = self._parameters(name).values()
        for parameter in parameters:
            parameter.data = parameter.data.to(self._device, self._dtype)
            parameter.requires_grad = False
        built = sum(parameter.numel() for parameter in parameters)
        if built != size:
            raise TrainingError(f"module {name} has {built} parameters instead of {size}")
        self._sizes[name] = size

    def _reduction(self, reduction: int) -> int:
        hidden = self._model.config.hidden_size
        if not 1 <= reduction <= hidden:
            raise TrainingError(f"module.reduction: {reduction} is not between 1 and {hidden}")
        return reduction

    def _check_name(self, name: str) -> None:
        if name in self._sizes or name in self._model.adapters_config:
            raise TrainingError(f"there already is a module {name}")
        if not can_be_named(name):
            raise TrainingError(f"a module cannot be called {name!r} in AdapterHub; choose another name")

    def _check_members(self, name: str, names: Sequence[str]) -> None:
        unknown = [member for member in names if member not in self._sizes or member in self._fused]
        if unknown or not names or len(set(names)) < len(names):
            reason = f"there is no module {unknown[0]}" if unknown else "name each module once"
            raise TrainingError(f"module {name}: {reason}")

    def _check_fusable(self, name: str, names: Sequence[str]) -> None:
        self._check_members(name, names)
        for member in names:
            if self._is_language(member):
                raise TrainingError(
                    f"fusion {name}: {member} is a language adapter, whose invertible part cannot be fused"
                )

    def _is_language(self, name: str) -> bool:
        return name in self._model.invertible_adapters

    def _parameters(self, name: str) -> dict[str, nn.Parameter]:
        markers = (f".adapters.{name}.", f".invertible_adapters.{name}.", f".adapter_fusion_layer.{name}.")
        named: Mapping[str, nn.Parameter] = dict(self._model.named_parameters())
        return {key: value for key, value in named.items() if any(marker in f".{key}" for marker in markers)}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
