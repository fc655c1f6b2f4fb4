"""How a plain library loads a package, in a few lines of Python for its card."""

import json

from lowres_stilts.hub.card_asking import CHOICES_APART, asking, printed, printing, shown_task
from lowres_stilts.hub.composition import Composition, FusionModule
from lowres_stilts.hub.manifest import Manifest

LOADED = 'attn_implementation="sdpa", dtype=torch.{dtype}'
DTYPES = {"float32": "float32", "bf16": "bfloat16"}
LABELS = "labels = {labels}\n"
NAMED = "id2label=dict(enumerate(labels)), label2id={label: number for number, label in enumerate(labels)}, "
PEFT = """import torch
from peft import PeftModel
from transformers import {auto_class}, AutoTokenizer

{labels}base = {auto_class}.from_pretrained("{base}", {named}{loaded})
model = PeftModel.from_pretrained(base, "path/to/{name}").eval()
tokenizer = AutoTokenizer.from_pretrained("{base}")
{asking}
output = model(**{inputs})
{scores}"""
PEFT_BARE = """import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

{labels}base = AutoModel.from_pretrained("{base}", add_pooling_layer=False, {loaded})
model = PeftModel.from_pretrained(base, "path/to/{name}").eval()
{head}"""
ADAPTERHUB = """import torch
from adapters import AutoAdapterModel
{block}from transformers import AutoTokenizer

model = AutoAdapterModel.from_pretrained("{base}", {loaded})
{modules}
model.active_head = "{top}"
{named}tokenizer = AutoTokenizer.from_pretrained("{base}")
{asking}
output = model.eval()(**inputs)
{scores}"""
ADAPTERHUB_BARE = """import adapters
import torch
{block}{load_file}from transformers import AutoModel, AutoTokenizer

{labels}model = AutoModel.from_pretrained("{base}", add_pooling_layer=False, {loaded})
adapters.init(model{interface})
{modules}
model.eval()
{head}"""
LOGITS = "scores = output.logits"
SPANS = "scores = torch.stack([output.start_logits, output.end_logits], dim=-1)"
STATES = """tokenizer = AutoTokenizer.from_pretrained("{base}")
{asking}
states, mask = model(**inputs).last_hidden_state.float(), inputs["attention_mask"].unsqueeze(-1)"""
HEAD = """head = {{key: value.float() for key, value in load_file("path/to/{name}/head.safetensors").items()}}
{pooled}
scores = pooled @ head["{task}.projection.weight"].T + head["{task}.projection.bias"]"""
POOLED = {
    "tokens": "pooled = states",
    "mean": "pooled = (states * mask).sum(1) / mask.sum(1)",
    "library": """pooled = (states[:, 0] @ head["{task}.dense.weight"].T + head["{task}.dense.bias"]).tanh()""",
}


def peft_code(manifest: Manifest) -> str:
    """For a LoRA."""
    facts = _facts(manifest)
    if manifest.auto_class == "AutoModel":
        return _whole(manifest, PEFT_BARE.format(head=_head(manifest, facts), **facts))
    inputs = CHOICES_APART if shown_task(manifest).family == "multiple_choice" else "inputs"
    named = NAMED if facts["labels"] else ""
    return _whole(manifest, PEFT.format(auto_class=manifest.auto_class, inputs=inputs, named=named, **facts))


def adapterhub_code(manifest: Manifest, composition: Composition) -> str:
    """For modules of AdapterHub, with what they stand on."""
    facts = {
        **_facts(manifest),
        "block": _block(composition),
        "load_file": "" if manifest.kind == "language" else "from safetensors.torch import load_file\n",
        "modules": _modules(manifest, composition),
        "top": composition.top.name,
    }
    if manifest.auto_class == "AutoAdapterModel":
        code = ADAPTERHUB.format(named="labels = model.get_labels()\n" if facts["labels"] else "", **facts)
    else:
        code = ADAPTERHUB_BARE.format(interface=_interface(manifest), head=_head(manifest, facts), **facts)
    notes = [_languages(manifest, composition)] if len(composition.languages) > 1 else []
    return "\n\n".join([_whole(manifest, code), *notes])


def _whole(manifest: Manifest, code: str) -> str:
    """The lines as Markdown, with those that print an answer, and the answer where it is known."""
    lines = "\n".join(filter(None, [code, printing(manifest)]))
    answer = printed(manifest)
    told = "" if answer is None else f"\n\nIt prints\n\n```text\n{answer}\n```"
    return f"```python\n{lines}\n```{told}"


def _facts(manifest: Manifest) -> dict[str, str]:
    task = shown_task(manifest)
    labelled = task.labels and task.family in {"classification", "tagging"}
    return {
        "base": _escaped(manifest.base.id),
        "name": manifest.name,
        "task": _escaped(task.name),
        "labels": LABELS.format(labels=_listed(list(map(_escaped, task.labels)))) if labelled else "",
        "asking": asking(manifest),
        "scores": SPANS if task.family == "qa" else LOGITS,
        "loaded": LOADED.format(dtype=DTYPES[manifest.base.compute]),
    }


def _head(manifest: Manifest, facts: dict[str, str]) -> str:
    """Hidden states, and what our own head makes of them."""
    family = shown_task(manifest).family
    states = STATES.format(**facts)
    if manifest.kind == "language" or family == "mlm":
        return states
    pooled = POOLED["tokens" if family in {"tagging", "qa"} else manifest.head].format(**facts)
    return f"{states}\n{HEAD.format(pooled=pooled, **facts)}"


def _block(composition: Composition) -> str:
    """Imports what puts several modules together."""
    if len(composition.places) == 1:
        return ""
    name = "Fuse" if isinstance(composition.top, FusionModule) else "Stack"
    return f"from adapters.composition import {name}\n"


def _modules(manifest: Manifest, composition: Composition) -> str:
    """Lines that load the modules from the bottom up, make them active and give them the encoder's dtype."""
    return _loaded(manifest, composition) + _cast(manifest)


def _cast(manifest: Manifest) -> str:
    """A line for what AdapterHub loads in float32 over any encoder."""
    dtype = DTYPES[manifest.base.compute]
    return "" if dtype == "float32" else f"\nmodel.to(torch.{dtype})"


def _loaded(manifest: Manifest, composition: Composition) -> str:
    path = f"path/to/{manifest.name}"
    below = [f"below/{module.name}" for module in composition.below]
    if isinstance(composition.top, FusionModule):
        names = ", ".join(f'"{module.name}"' for module in composition.below)
        return "\n".join(
            [
                f"for part in {_listed(below)}:",
                f'    model.load_adapter(f"{path}/{{part}}", use_safetensors=True)',
                f'model.load_adapter_fusion("{path}", use_safetensors=True)',
                f'model.set_active_adapters(Fuse({names}, name="{composition.top.name}"))',
            ]
        )
    parts = [*(["languages/en"] if composition.languages else []), *below]
    if not parts:
        return f'model.load_adapter("{path}", use_safetensors=True, set_active=True)'
    return "\n".join(
        [
            f"for part in {_listed([*parts, '.'])}:",
            f'    model.load_adapter(f"{path}/{{part}}", use_safetensors=True)',
            f"model.set_active_adapters({_stack(composition, 'en')})",
        ]
    )


def _languages(manifest: Manifest, composition: Composition) -> str:
    others = [code for code in composition.languages if code != "en"]
    code = others[0]
    return (
        f"Texts of another language ({', '.join(others)}) go over its own adapter, such as for {code}:\n\n"
        f'```python\nmodel.load_adapter("path/to/{manifest.name}/languages/{code}", use_safetensors=True)\n'
        f"model.set_active_adapters({_stack(composition, code)}){_cast(manifest)}\n```"
    )


def _stack(composition: Composition, language: str) -> str:
    return f"Stack({', '.join(_quoted(name) for name in composition.active(language))})"


def _interface(manifest: Manifest) -> str:
    """AdapterHub does not know XLM-R XL; it has to be told where modules go."""
    if manifest.base.model_type != "xlm-roberta-xl":
        return ""
    from lowres_stilts.modules.adapterhub import XL_INTERFACE  # noqa: PLC0415 - takes seconds, and is needed here only

    given = {key: value for key, value in XL_INTERFACE.to_dict().items() if value is not None}
    settings = ", ".join(f"{key}={value!r}" for key, value in given.items())
    return f", interface=adapters.AdapterModelInterface(layer_cross_attn=None, {settings})"


def _escaped(text: str) -> str:
    """As it stands between the quotes of Python."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _listed(names: list[str]) -> str:
    return f"[{', '.join(map(_quoted, names))}]"


def _quoted(name: str) -> str:
    return f'"{name}"'
