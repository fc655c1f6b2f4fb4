"""The fields of a recipe. It stays at the edge: the pipeline unpacks it into plain arguments."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lowres_stilts.recipe.values import Overrides, checked, overridden, read_values
from lowres_stilts.recipe.yaml_lines import Dumper

Split = Literal["train", "dev", "test"]
Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    """A part of a recipe: unknown keys are errors and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class ModelSettings(Settings):
    """The frozen encoder."""

    id: str
    """A Hugging Face id, a local folder, or `starter:multilingual-minilm`."""
    revision: str | None = None
    """A branch, tag or commit of the Hub repository."""
    quantize: Literal["none", "int8", "nf4"] = "nf4"
    """How bitsandbytes stores the linear layers: NF4 with double quantization, LLM.int8, or not at all."""
    embeddings: Literal["none", "int8", "nf4"] = "int8"
    """How the word embeddings, most of a multilingual encoder's weights, are stored."""
    offload_embeddings: bool = False
    """Keep the word embeddings in the CPU's memory and send each batch's vectors to the GPU."""
    compute: Literal["float32", "bf16"] = "bf16"
    """The type of activations and of the weights that are not quantized."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; `auto` takes CUDA where there is one."""
    head: Literal["library", "mean"] = "library"
    """`library`: what the Auto class has (dense, tanh, projection on `<s>`). `mean`: mean pooling, one layer."""


class DataSettings(Settings):
    """Where examples come from."""

    source: Literal["xtreme", "starter", "files", "hub"] = "xtreme"
    """`xtreme`: XTREME's download folder; `starter`: the offline package; `files`: paths named below; `hub`."""
    dir: Path | None = None
    """The data folder, relative to the working directory."""
    files: dict[str, dict[Split, str | list[str]]] = {}
    """Paths that replace a task's own, per split, below `dir`; `{lang}` stands for the language."""

    revisions: dict[str, str] = {}
    """From the Hub: the commit, tag or branch of a task's data set, by task; the results name the commit."""
    streaming: bool = False
    """From the Hub: read rows as they arrive instead of downloading whole files."""

    @model_validator(mode="after")
    def _needs_dir(self) -> Self:
        if self.source == "xtreme" and self.dir is None:
            raise ValueError("source xtreme needs dir, the folder that XTREME's download script filled")
        return self


class CustomTask(Settings):
    """A task of the user's own, with its files under `data.files`."""

    family: Literal["classification", "multiple_choice", "tagging", "qa", "retrieval"]
    """How it is encoded and which head it gets."""
    languages: Annotated[list[str], Field(min_length=1)]
    """Languages of its test split."""
    labels: list[str] = []
    """The labels of a classification or the tags of a tagging task."""
    pair: bool = False
    """Whether a classification has two texts, `text` and `text_pair`."""
    max_length: Positive = 128
    """Most tokens of one sequence."""

    @model_validator(mode="after")
    def _needs_labels(self) -> Self:
        if self.family in {"classification", "tagging"} and len(set(self.labels)) < 2:
            raise ValueError(f"a {self.family} task needs at least two labels")
        return self


LORA_KEYS = {"alpha", "rank", "targets", "rslora", "dora", "init"}
BOTTLENECK_KEYS = {"adapter", "reduction"}


class ModuleSettings(Settings):
    """The small module that a phase trains."""

    kind: Literal["lora", "bottleneck", "language"] = "lora"
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

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        others = {"lora": BOTTLENECK_KEYS, "bottleneck": LORA_KEYS, "language": LORA_KEYS | {"adapter"}}[self.kind]
        for key in sorted(others & self.model_fields_set):
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


class TrainSettings(Settings):
    """How a phase is trained."""

    epochs: Positive = 3
    """Passes over the training examples."""
    lr: Annotated[float, Field(gt=0)] = 3e-4
    """Peak learning rate of the module."""
    lr_ratio: Annotated[float, Field(gt=0)] = 1.0
    """LoRA+: how many times as fast B learns as A (Hayou et al. 2024, arXiv:2402.12354, has 16)."""
    head_lr: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate of the head; the module's where it is not given."""
    tokens_per_batch: Positive = 4096
    """Most tokens of a batch, padding counted in."""
    accumulate: Positive = 1
    """Batches per update."""
    warmup: Share = 0.1
    """Share of the updates over which the rate rises; then it falls linearly to zero."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """AdamW's decay."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient."""
    limit: Positive | None = None
    """Train on this many examples, drawn with the recipe's seed."""
    holdout: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Take this share of the training examples as the dev set, instead of the task's dev file."""
    dev_limit: Positive | None = None
    """Use the first n dev examples for early stopping."""
    max_length: Positive | None = None
    """Most tokens of one sequence; the task's own where it is not given."""
    evaluate_every: Positive | None = None
    """Updates between two looks at the English dev set; once an epoch where it is not given."""
    patience: Positive | None = None
    """Stop after this many looks without a better score; the best module is kept in any case."""
    checkpoint_every: Positive = 50
    """Updates between two checkpoints."""
    gradient_checkpointing: bool | Positive = False
    """Compute activations twice to save memory: in all layers, or in this many from the top."""
    tokens_at_once: Positive | None = None
    """Most tokens in memory at once: a larger batch is computed in parts, with the same update. Chosen by the
    planner where it is not given; see `fit`."""
    fit: bool = True
    """Have the planner compute batches in parts, and turn checkpointing on, where memory would not do."""
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    """`adamw8bit`: bitsandbytes' AdamW with moments in 8 bits (Dettmers et al. 2022, arXiv:2110.02861), paged on
    CUDA."""
    reuse_lower_layers: bool = True
    """Keep the hidden states of layers below all that learns on disk, and compute those layers in the first epoch
    only; where nothing in them is random and the disk has room."""


class MixSettings(Settings):
    """In which proportions several intermediate tasks are trained."""

    cap: Positive | None = None
    """Count no more examples than this of any task."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Shares are in proportion to `min(n, cap) ** (1 / temperature)`: 1 by size, large for equal shares."""
    weights: dict[str, Annotated[float, Field(gt=0)]] = {}
    """Shares by task, in the place of sizes."""


class IntermediateSettings(Settings):
    """The first training phase, on English as a rule."""

    tasks: Annotated[list[str], Field(min_length=1)]
    """The intermediate tasks; several share one module and have a head each."""
    mix: MixSettings = MixSettings()
    languages: dict[str, Annotated[list[str], Field(min_length=1)]] = {}
    """Languages of a task's training data, by task; English where it is not named."""
    translated: list[str] = []
    """Tasks whose training data is XTREME's translate-train in `languages`."""
    module: ModuleSettings = ModuleSettings()
    train: TrainSettings = TrainSettings(epochs=1)

    @model_validator(mode="after")
    def _names_its_tasks(self) -> Self:
        if len(set(self.tasks)) != len(self.tasks):
            raise ValueError("tasks names a task twice")
        for key, named in (
            ("mix.weights", self.mix.weights),
            ("languages", self.languages),
            ("translated", self.translated),
        ):
            for task in named:
                if task not in self.tasks:
                    raise ValueError(f"{key} names {task!r}, which is none of the tasks")
        if self.mix.weights and set(self.mix.weights) != set(self.tasks):
            raise ValueError("mix.weights must give every task a weight")
        for task in self.translated:
            if task not in self.languages:
                raise ValueError(f"translated: say in languages which languages of {task!r} to take")
        return self


class FuseSettings(Settings):
    """How the weights of the intermediate modules are learned."""

    lr: Annotated[float, Field(gt=0)] = 1e-2
    """Peak learning rate of the weights, one for each module and layer."""


class MergeSettings(Settings):
    """How modules are merged after training."""

    method: Literal["cat", "linear", "ties", "dare_linear", "dare_ties"] = "cat"
    """PEFT's: `cat` adds up the updates exactly, and the ranks with them; the others want equal ranks. TIES: Yadav
    et al. 2023 (arXiv:2306.01708); DARE: Yu et al. 2023 (arXiv:2311.03099)."""
    density: Annotated[float, Field(gt=0, le=1)] = 0.5
    """TIES and DARE: the share of values that is kept."""
    weights: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = [0.1, 0.25, 0.5, 0.75, 1.0]
    """What to try for each intermediate module on English dev, beside 0; the target's own has 1."""


class TargetSettings(Settings):
    """The second training phase, on the target task in English; a retrieval target has none."""

    task: str
    transfer: Literal["stack", "continue", "fuse", "merge", "none"] = "stack"
    """`stack`: a new module over the frozen intermediate one; `continue`: train that one on; `fuse`: a new module
    over one frozen module for each intermediate task, whose weights are learned layer by layer; `merge`: the
    baseline's module and one for each intermediate task, merged with weights searched on English dev;
    `none`: neither."""
    module: ModuleSettings = ModuleSettings(rank=8, alpha=16)
    train: TrainSettings = TrainSettings()
    fuse: FuseSettings = FuseSettings()
    merge: MergeSettings = MergeSettings()


class LanguageSettings(Settings):
    """Language adapters, trained by masked language modelling on plain text, one for each language.

    Both phases train over the English one; the tests of a language are answered over its own.
    """

    adapters: Annotated[list[str], Field(min_length=1)]
    """Languages, English among them; `data.files.mlm.train` names the texts, with `{lang}` in it."""
    module: ModuleSettings = ModuleSettings(kind="language", reduction=2)
    train: TrainSettings = TrainSettings(epochs=1)

    @model_validator(mode="after")
    def _has_english(self) -> Self:
        if "en" not in self.adapters or len(set(self.adapters)) != len(self.adapters):
            raise ValueError("adapters must name every language once, and en, over which the phases train")
        if self.module.kind != "language":
            raise ValueError("module.kind must be language")
        return self


class RetrievalSettings(Settings):
    """How a sentence becomes one vector."""

    layer: int = -1
    """Index into `hidden_states`: 0 is the embedding output, -1 the last layer; XTREME's "layer 13" is 14 here."""
    pooling: Literal["mean", "cls"] = "mean"
    """Mean over tokens, or the first token."""
    prefix: str = ""
    """Put before every sentence; E5 models want `"query: "`."""
    similarity: Literal["cosine", "margin"] = "cosine"
    """`margin`: cosine over the mean of the neighbours' cosines (Artetxe and Schwenk 2019, arXiv:1811.01136)."""
    neighbours: Positive = 4
    """How many neighbours the margin looks at."""
    sweep: list[int] = []
    """Further layers to score, for each of both poolings; the results list them under `sweep`."""


class EvaluateSettings(Settings):
    """Zero-shot evaluation in the languages of the target."""

    languages: Literal["all"] | list[str] = "all"
    """`all` takes every language of the task that the data folder has."""
    split: Literal["dev", "test"] = "test"
    limit: Positive | None = None
    """The first n examples of each language; the results say so."""
    baseline: bool = True
    """Also run the target without the intermediate phase, and report the gain over it."""
    nbest: Positive | None = None
    """Question answering: also write that many answers to each question, with their probabilities, to `nbest/`."""
    bootstrap: Annotated[int, Field(ge=100)] = 1000
    """Resamples behind each 95% interval."""
    tokens_per_batch: Positive = 4096
    retrieval: RetrievalSettings = RetrievalSettings()


class Recipe(Settings):
    """One run: an encoder, two phases, an evaluation."""

    name: str
    """Names the run."""
    model: ModelSettings
    data: DataSettings
    tasks: dict[str, CustomTask] = {}
    """Tasks of the user's own, beside the registry's."""
    languages: LanguageSettings | None = None
    intermediate: IntermediateSettings | None = None
    target: TargetSettings
    evaluate: EvaluateSettings = EvaluateSettings()
    seed: int = 13
    """Order of the batches, initial weights, dropout and resampling."""

    @classmethod
    def load(cls, path: Path | str, overrides: Overrides = ()) -> Self:
        """Reads and checks a recipe.

        Args:
            path: the YAML file.
            overrides: changes to it, such as `{"seed": 7, "target.train.epochs": 1}`, or texts as after `--set`.

        Raises:
            RecipeError: anything is wrong; the message has the key, and the line of the file.
        """
        values, places = read_values(Path(path), overrides, "recipe")
        return checked(cls, values, places, str(path))

    def changed(self, overrides: Overrides) -> Self:
        """The recipe with other values, such as `{"seed": 7}`; keys that were never set follow their defaults.

        Raises:
            RecipeError: there is no such key, or a value does not fit.
        """
        values, places = overridden(self.model_dump(mode="json", exclude_unset=True), {}, overrides)
        return checked(type(self), values, places, f"recipe {self.name}")

    def as_yaml(self) -> str:
        """The recipe as YAML, defaults included, so that it reads the same when they change."""
        return yaml.dump(self.model_dump(mode="json"), Dumper=Dumper, sort_keys=False, allow_unicode=True)

    @model_validator(mode="after")
    def _transfer_fits(self) -> Self:
        if self.target.transfer != "none" and self.intermediate is None:
            raise ValueError(
                f"target.transfer is {self.target.transfer!r} but there is no intermediate phase; "
                "add one or set transfer: none"
            )
        own_module = self.target.module != TargetSettings.model_fields["module"].default
        if self.target.transfer == "continue" and own_module:
            raise ValueError("target.transfer continue trains the intermediate module on: remove target.module")
        if self.intermediate is not None:
            self._modules_fit(self.intermediate)
        self._languages_fit()
        return self

    def _languages_fit(self) -> None:
        modules = {"target": self.target.module}
        if self.intermediate is not None:
            modules["intermediate"] = self.intermediate.module
        for key, module in modules.items():
            if module.kind == "language":
                raise ValueError(
                    f"{key}.module.kind language: language adapters are trained in the section languages"
                )
            default = TargetSettings.model_fields["module"].default
            unset = self.target.transfer != "none" and module == default
            if self.languages is not None and module.kind != "bottleneck" and not unset:
                raise ValueError(f"{key}.module.kind must be bottleneck to stand on language adapters")
        if self.languages is not None and self.target.transfer == "fuse":
            raise ValueError("target.transfer fuse: AdapterFusion does not stand on language adapters; use stack")

    def _modules_fit(self, intermediate: IntermediateSettings) -> None:
        mode, below, own = self.target.transfer, intermediate.module, self.target.module
        if own.kind == "bottleneck" and self.target.merge.method != "cat":
            raise ValueError("target.merge.method: bottleneck adapters can only be averaged; remove it")
        if mode in {"stack", "fuse", "merge"} and (below.dora or own.dora):
            raise ValueError(
                f"module.dora is no sum, so target.transfer {mode} cannot add it up; use continue or none"
            )
        if mode in {"stack", "fuse"} and own.init == "loftq":
            raise ValueError(
                "target.module.init loftq makes up for NF4 a second time; set intermediate.module.init"
            )
        if mode in {"fuse", "merge"} and intermediate.mix != MixSettings():
            raise ValueError(f"intermediate.mix: each task has a module of its own under target.transfer {mode}")
        if mode == "merge" and self.target.merge.method != "cat" and below.rank != own.rank:
            raise ValueError(
                f"target.merge.method {self.target.merge.method} wants equal ranks, but intermediate.module.rank "
                f"is {below.rank} and target.module.rank {own.rank}; make them equal or use cat"
            )
