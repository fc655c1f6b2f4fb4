"""Names and shapes of AdapterHub's tensors in a package, as its own model classes write them."""

from collections.abc import Iterator
from types import MappingProxyType

from lowres_stilts.hub.composition import Composition, FusionModule, Module
from lowres_stilts.hub.manifest import Manifest
from lowres_stilts.hub.peft_layout import ENCODER_NAMES
from lowres_stilts.tasks.families import FAMILIES

Shapes = dict[str, tuple[int, ...]]
SITES = MappingProxyType({"xlm-roberta-xl": ("attention_adapters", "output_adapters")})
"""Where adapters are in a layer: after attention, and after the feed-forward block."""
USUAL_SITES = ("attention.output", "output")
COUPLING_REDUCTION = 2
"""MAD-X: the coupling's layers are half as wide as what goes through them."""


def prefix_of(model_type: str) -> str:
    """What stands before the names; AdapterHub takes it off where the bare encoder is loaded."""
    return f"{ENCODER_NAMES[model_type]}."


def module_shapes(manifest: Manifest, composition: Composition, module: Module | FusionModule) -> Shapes:
    """The tensors of a module with their shapes."""
    prefix, hidden = prefix_of(manifest.base.model_type), composition.hidden_size
    first = composition.below[0] if isinstance(module, FusionModule) else module
    shapes: Shapes = {}
    for site in _sites(manifest, composition, first):
        if isinstance(module, FusionModule):
            shapes |= _fusion(f"{prefix}{site}.adapter_fusion_layer.{module.name}", hidden)
        else:
            shapes |= _adapter(f"{prefix}{site}.adapters.{module.name}", hidden, hidden // module.reduction)
    if module.adapter == "seq_bn_inv":
        shapes |= _coupling(f"{prefix}invertible_adapters.{module.name}", hidden)
    return shapes


def head_names(manifest: Manifest, composition: Composition) -> dict[str, str]:
    """From our names of a head's weights to AdapterHub's, which counts layers, dropout and activation too."""
    (task,) = manifest.tasks
    in_sequence = FAMILIES[task.family].head == "sequence"
    numbers = {"dense": 1, "projection": 4} if in_sequence else {"projection": 1}
    return {
        f"{layer}.{kind}": f"heads.{composition.top.name}.{number}.{kind}"
        for layer, number in numbers.items()
        for kind in ("weight", "bias")
    }


def _sites(manifest: Manifest, composition: Composition, module: Module) -> Iterator[str]:
    attention, output = SITES.get(manifest.base.model_type, USUAL_SITES)
    for layer in (layer for layer in range(composition.layers) if layer not in module.leave_out):
        if module.adapter == "double_seq_bn":
            yield f"encoder.layer.{layer}.{attention}"
        yield f"encoder.layer.{layer}.{output}"


def _adapter(name: str, hidden: int, narrow: int) -> Shapes:
    return _linear(f"{name}.adapter_down.0", hidden, narrow) | _linear(f"{name}.adapter_up", narrow, hidden)


def _fusion(name: str, hidden: int) -> Shapes:
    query, key = (_linear(f"{name}.{part}", hidden, hidden) for part in ("query", "key"))
    return query | key | {f"{name}.value.weight": (hidden, hidden)}


def _coupling(name: str, hidden: int) -> Shapes:
    first = hidden // 2
    shapes: Shapes = {}
    for part, inputs in {"F": hidden - first, "G": first}.items():
        narrow = inputs // COUPLING_REDUCTION
        shapes |= _linear(f"{name}.{part}.0", inputs, narrow)
        shapes |= _linear(f"{name}.{part}.2", narrow, hidden - inputs)
    return shapes


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
