"""How the modules of a package in AdapterHub's format go together."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lowres_stilts.hub.parts import ModuleName, Sha256, Size
from lowres_stilts.names import module_name
from lowres_stilts.parts import Part


class Module(Part):
    """A module in AdapterHub's format, in a folder of its own."""

    name: ModuleName
    """What AdapterHub calls it: the phase that trained it."""
    adapter: Literal["seq_bn", "double_seq_bn", "par_bn", "seq_bn_inv"]
    """AdapterHub's name of the configuration."""
    reduction: Size
    """The bottleneck is this many times narrower than the hidden states."""
    dropout: Annotated[float, Field(ge=0, lt=1)]
    """While it was trained."""
    leave_out: tuple[Annotated[int, Field(ge=0, le=200)], ...] = ()
    """Layers of the encoder that do not have it."""
    sha256: Sha256
    """Of its weights in the package."""


class FusionModule(Part):
    """An AdapterFusion of the modules below it."""

    name: ModuleName
    adapter: Literal["fusion"]
    sha256: Sha256


class Composition(Part):
    """The modules of a package in AdapterHub's format, and how they go together."""

    hidden_size: Annotated[int, Field(gt=0, le=20_000)]
    layers: Annotated[int, Field(gt=0, le=200)]
    """Of the base."""
    top: Annotated[Module | FusionModule, Field(discriminator="adapter")]
    """What was trained; it lies in the package's root."""
    below: list[Module]
    """What it stands on, from the bottom up, in `below/<name>`; for a fusion, what it fuses, in this order."""
    languages: dict[ModuleName, Module]
    """Language adapters by language, one of which goes to the bottom, in `languages/<language>`."""
    language: ModuleName | None = None
    """That of a package which is itself a language adapter."""

    @property
    def places(self) -> dict[str, Module | FusionModule]:
        """All modules, by folder of the package."""
        below = {f"below/{module.name}": module for module in self.below}
        languages = {f"languages/{code}": module for code, module in self.languages.items()}
        return {"": self.top, **below, **languages}

    @property
    def ground(self) -> list[str]:
        """What the top was trained over, from the bottom up; for a fusion, what it fuses."""
        english = [self.languages["en"]] if self.languages else []
        return [module.name for module in [*english, *self.below]]

    def code_of(self, language: str) -> str | None:
        """The key of a language's adapter; None where it has none."""
        return next((code for code in (language, module_name(language)) if code in self.languages), None)

    def active(self, language: str) -> list[str]:
        """The modules for a language, from the bottom up; the English adapter stands in for a missing one."""
        ground = self.languages.get(self.code_of(language) or "en")
        below = [] if isinstance(self.top, FusionModule) else self.below
        return [module.name for module in ([ground] if ground else []) + [*below, self.top]]

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        names = [module.name for module in (self.top, *self.below, *self.languages.values())]
        is_language, is_fusion = self.top.adapter == "seq_bn_inv", self.top.adapter == "fusion"
        problems = {
            "two modules have the same name": len(set(names)) < len(names),
            "below: a language adapter goes to languages": any(m.adapter == "seq_bn_inv" for m in self.below),
            "languages: one is no language adapter": any(
                m.adapter != "seq_bn_inv" for m in self.languages.values()
            ),
            "languages: the English adapter is missing": bool(self.languages) and "en" not in self.languages,
            "language: a language adapter needs one, and nothing else has one": is_language
            is (self.language is None),
            "top: a language adapter is alone in its package": is_language and len(names) > 1,
            "top: a fusion needs modules to fuse, and no languages": is_fusion
            and (bool(self.languages) or not self.below),
        }
        for problem, is_there in problems.items():
            if is_there:
                raise ValueError(problem)
        return self
