"""One self-contained model with an adapter and its head in it, which optimum loads like any other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from transformers import AutoConfig, PreTrainedTokenizerFast

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.errors import UsageError
from lowres_stilts.export.adapters import head_weights
from lowres_stilts.export.calibrate import Calibration
from lowres_stilts.export.graph import Graph
from lowres_stilts.export.heads import fixed_heads, sequence_scores, token_scores
from lowres_stilts.export.inside import Inside, inside_of
from lowres_stilts.export.layers import EncoderGraph
from lowres_stilts.export.parity import Sample, largest, require, sample, torch_scores
from lowres_stilts.export.presets import EXACT, Storage, products_of
from lowres_stilts.export.products import Floats, Products
from lowres_stilts.export.reference import shape_of
from lowres_stilts.export.sites import NoSites
from lowres_stilts.export.sources import Item, float_base, items_of, open_packages
from lowres_stilts.export.write import write_model
from lowres_stilts.runtime.batches import padded
from lowres_stilts.runtime.names import IDS, MASK
from lowres_stilts.runtime.session import CPU, open_session
from lowres_stilts.storage import require_new, using_cache, write_folder, write_json
from lowres_stilts.tasks.families import FAMILIES
from lowres_stilts.text.literal import read_literally

ARCHITECTURES = {
    "classification": "ForSequenceClassification",
    "multiple_choice": "ForMultipleChoice",
    "tagging": "ForTokenClassification",
    "qa": "ForQuestionAnswering",
}
PREFIXES = {"bert": "Bert", "xlm-roberta": "XLMRoberta", "xlm-roberta-xl": "XLMRobertaXL"}
FILE = "model.onnx"
SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}
UNWARNED = "4.57.2"
"""The last version of transformers whose tokenizers a newer one does not suspect of Mistral's faulty pattern."""


@using_cache()
def export_merged(
    place: Path, output: Path, *, storage: Storage, say: Callable[[str], object] = lambda _: None
) -> None:
    """Writes `model.onnx`, `config.json` and the tokenizer of one package or run into a new folder.

    Raises:
        UsageError: the folder exists, or the package has several tasks.
        PackageError: the package is damaged.
        ExportError: its module is none that can be merged, or the graph differs from torch; nothing is written.
        RunError: the folder cannot be written.
    """
    require_new(output)
    packages = open_packages([place])
    items = items_of(packages)
    if len(items) != 1:
        raise UsageError(f"{place}: --merge takes a package with one task, and this has {len(items)}")
    (item,) = items
    encoder, _ = float_base(packages)
    say(f"torch with {item.name}")
    inputs = sample(encoder)
    loaded = item.over(encoder)
    calibration = Calibration(encoder.model)
    with calibration.watching(loaded.stack.model):
        expected = torch_scores(item, loaded, inputs)
    inside = inside_of(loaded, item.language)

    def fill(folder: Path) -> None:
        say("float32 graph against torch")
        path = folder / FILE
        write_model(path, _model(item, encoder, inside, products_of(EXACT, {})))
        require("the merged float32 graph", _difference(path, item, encoder, inputs, expected))
        if not storage.is_exact:
            say(f"{storage.quantize} graph")
            write_model(path, _model(item, encoder, inside, products_of(storage, calibration.ranges)))
        _write_settings(folder, item, encoder)

    write_folder(output, fill)


def _model(item: Item, encoder: Encoder, inside: Inside, products: Products) -> onnx.ModelProto:
    graph, shape = Graph(products.floats), shape_of(encoder)
    choices = item.task.family == "multiple_choice"
    sizes = ["batch", "choices", "length"] if choices else ["batch", "length"]
    ids, mask = (graph.input(name, np.int64, sizes) for name in (IDS, MASK))
    given = graph.node("Shape", ids, end=2)
    if choices:
        ids, mask = (_flat(graph, value) for value in (ids, mask))
    network = EncoderGraph(graph, shape, inside.weights, products, NoSites(), inside.between(products))
    states = network.states(ids, mask, [shape.layers])
    kind = FAMILIES[item.task.family].head
    head = fixed_heads(graph, shape.hidden, head_weights(item), kind)
    last = states[shape.layers]
    if item.task.family == "tagging":
        graph.output("logits", token_scores(graph, last, head), ["batch", "length", "labels"])
    elif item.task.family == "qa":
        both = graph.nodes("Split", token_scores(graph, last, head), count=2, axis=2, num_outputs=2)
        for name, value in zip(("start_logits", "end_logits"), both, strict=True):
            two = graph.constant("two", np.array([2]))
            graph.output(name, graph.node("Squeeze", value, two), ["batch", "length"])
    else:
        scores = sequence_scores(graph, last, mask, head, per_row=False)
        scores = graph.node("Reshape", scores, given) if choices else scores
        graph.output("logits", scores, ["batch", "choices" if choices else "labels"])
    return graph.model()


def _flat(graph: Graph, value: str) -> str:
    """`[batch, choices, length]` as `[batch * choices, length]`."""
    length = graph.node("Shape", value, start=2)
    rows = graph.node("Concat", graph.constant("rest", np.array([-1])), length, axis=0)
    return graph.node("Reshape", value, rows)


def _difference(path: Path, item: Item, encoder: Encoder, inputs: Sample, expected: list[Floats]) -> float:
    session = open_session(path, threads=None, providers=CPU)
    found: list[Floats] = []
    for batch in inputs.batches:
        ids, mask = padded(batch, encoder.pad_id)
        if item.task.family == "multiple_choice":
            ids, mask = ids[:, None], mask[:, None]
        outputs = session.run(None, {IDS: ids, MASK: mask})
        scores = np.stack(outputs, axis=-1) if item.task.family == "qa" else outputs[0]
        per_token = FAMILIES[item.task.family].head == "token"
        found += [row[: len(own)] if per_token else row for row, own in zip(scores, batch, strict=True)]
    return largest(found, expected)


def _write_settings(folder: Path, item: Item, encoder: Encoder) -> None:
    config = AutoConfig.from_pretrained(encoder.path, revision=encoder.revision)
    config.architectures = [PREFIXES[config.model_type] + ARCHITECTURES[item.task.family]]
    config.id2label = dict(enumerate(item.task.labels)) or {0: "LABEL_0", 1: "LABEL_1"}
    config.label2id = {label: number for number, label in config.id2label.items()}
    write_json(folder / "config.json", config.to_diff_dict() | {"transformers_version": UNWARNED})
    read_literally(encoder.tokenizer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=encoder.tokenizer,
        **SPECIAL_TOKENS,
        model_max_length=item.part.max_length,
        model_input_names=[IDS, MASK],
    )
    tokenizer.save_pretrained(folder)
