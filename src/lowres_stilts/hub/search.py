"""The packages of this project on the Hugging Face Hub, found by the tag of their cards."""

from dataclasses import dataclass

from huggingface_hub import HfApi, ModelInfo

from lowres_stilts.hub.card import HUB_ID, TAG
from lowres_stilts.hub.remote import NAME, hub_errors
from lowres_stilts.tasks.families import FAMILIES

KINDS = ("lora", "bottleneck", "language", "bundle")
BASE = "base_model:"


@dataclass(frozen=True)
class Found:
    """A repository that says of itself that it is a package; nothing of it is checked."""

    repo: str
    kind: str | None
    families: tuple[str, ...]
    """Of the tasks that it was trained on."""
    base: str | None
    private: bool


def find_packages(
    *, author: str | None = None, search: str | None = None, limit: int | None = None
) -> list[Found]:
    """Packages that the token, if there is one, lets its owner see.

    Args:
        author: whose; anybody's by default.
        search: what their names have in them.
        limit: how many at most.

    Raises:
        PackageError: the Hub cannot be asked.
    """
    with hub_errors("the Hugging Face Hub", "main"):
        models = list(HfApi().list_models(filter=TAG, author=author, search=search, limit=limit))
    return [_found(model) for model in models if NAME.fullmatch(model.id)]


def _found(model: ModelInfo) -> Found:
    """What the tags say, as far as it is what a card of ours can say."""
    tags: list[str] = model.tags or []
    bases = (tag.removeprefix(BASE) for tag in tags if tag.startswith(BASE))
    return Found(
        model.id,
        next((kind for kind in KINDS if kind in tags), None),
        tuple(tag for tag in tags if tag in FAMILIES),
        next((base for base in bases if HUB_ID.fullmatch(base)), None),
        bool(model.private),
    )
