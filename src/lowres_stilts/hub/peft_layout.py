"""How plain PEFT expects the tensors of a package: by base model, family and layout of the head."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lowres_stilts.tasks.task import FamilyName

ENCODER_NAMES = MappingProxyType({"xlm-roberta": "roberta", "xlm-roberta-xl": "roberta", "bert": "bert"})
"""What the Auto classes call the encoder inside of them."""


@dataclass(frozen=True)
class Layout:
    """Names in `adapter_config.json` and `adapter_model.safetensors`."""

    auto_class: str
    """The transformers class that the package fits."""
    task_type: str | None
    """PEFT's name of it; None where PEFT has none."""
    encoder: str
    """What stands before the names of the encoder's layers."""
    head: Mapping[str, str]
    """From the names of our head's weights to those of the class."""
    modules_to_save: tuple[str, ...]
    """The modules of the head, as PEFT wants them named."""

    @property
    def complete(self) -> bool:
        """Whether the plain class has the whole head."""
        return bool(self.modules_to_save)


BARE = Layout("AutoModel", "FEATURE_EXTRACTION", "", MappingProxyType({}), ())
"""A module over the bare encoder; the head lies beside it."""


def layout_of(model_type: str, family: FamilyName, *, mean_head: bool) -> Layout:
    """The layout of a package with one task.

    Args:
        model_type: of the base, as transformers names it.
        family: of the task.
        mean_head: whether the head takes the mean over tokens, which no Auto class does.
    """
    encoder = ENCODER_NAMES[model_type]
    prefix = f"{encoder}."
    if family == "tagging":
        return _tokens("AutoModelForTokenClassification", "TOKEN_CLS", prefix, "classifier")
    if family == "qa":
        return _tokens("AutoModelForQuestionAnswering", "QUESTION_ANS", prefix, "qa_outputs")
    if mean_head or family not in {"classification", "multiple_choice"}:
        return BARE
    choices = family == "multiple_choice"
    if model_type == "bert" or choices:
        head = _named({"dense": f"{prefix}pooler.dense", "projection": "classifier"})
        saved: tuple[str, ...] = ("pooler", "classifier")
    else:
        head = _named({"dense": "classifier.dense", "projection": "classifier.out_proj"})
        saved = ("classifier",)
    name = "AutoModelForMultipleChoice" if choices else "AutoModelForSequenceClassification"
    return Layout(name, None if choices else "SEQ_CLS", prefix, head, saved)


def _tokens(auto_class: str, task_type: str, prefix: str, module: str) -> Layout:
    return Layout(auto_class, task_type, prefix, _named({"projection": module}), (module,))


def _named(modules: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(
        {f"{ours}.{kind}": f"{theirs}.{kind}" for ours, theirs in modules.items() for kind in ("weight", "bias")}
    )
