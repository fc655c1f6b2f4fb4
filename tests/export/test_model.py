"""The two forms of the graph against torch, for every architecture, with random adapters."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.encoder.load import Encoder
from lowres_stilts.export.calibrate import Calibration
from lowres_stilts.export.presets import Storage
from lowres_stilts.runtime.adapters import Adapter
from lowres_stilts.runtime.batches import padded
from lowres_stilts.runtime.manifest import EmbeddingPart
from lowres_stilts.runtime.network import HIDDEN, Network, Row
from tests.export.networks import (
    LAYERS,
    adapter_of,
    float32,
    network_of,
    random_head,
    random_lora,
    torch_scores,
    torch_states,
)
from tests.models import write_tiny_model

ARCHITECTURES = ["xlm-roberta", "xlm-roberta-xl", "bert"]
HEADS = {"library-3": ("library", 3, 4, "-"), "mean-2": ("mean", 2, 2, "query"), "token-5": ("token", 5, 3, "-"),
         "token-2": ("token", 2, 1, "dense"), "mean-1": ("mean", 1, 8, "attention")}  # fmt: skip
"""Layout, outputs, rank and which layers have no LoRA."""
SHAPES = [[1], [3, 9], [16, 16, 16], [5, 33, 2, 70], [64] * 5]


@dataclass(repr=False)
class Case:
    encoder: Encoder
    network: Network
    adapters: dict[str, Adapter | None]
    loras: dict[str, dict[str, np.ndarray]]
    heads: dict[str, dict[str, np.ndarray]]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def case(request, tmp_path_factory) -> Case:
    return make_case(request.param, tmp_path_factory)


@pytest.fixture(scope="module")
def roberta(tmp_path_factory) -> Case:
    return make_case("xlm-roberta", tmp_path_factory)


def make_case(architecture, tmp_path_factory) -> Case:
    folder = tmp_path_factory.mktemp(architecture)
    encoder = float32(write_tiny_model(folder / "model", architecture))
    network = network_of(encoder, folder)
    rng = np.random.default_rng(0)
    case = Case(encoder, network, {"none": None}, {"none": {}}, {})
    for name, (layout, outputs, rank, skip) in HEADS.items():
        case.loras[name] = random_lora(rng, encoder.model, rank, skip)
        case.heads[name] = random_head(rng, encoder.hidden_size, outputs, layout)
        path = folder / f"{name}.onnx_adapter"
        case.adapters[name] = adapter_of(case.loras[name], case.heads[name], layout, path, network)
    return case


def sequences(lengths, seed=0):
    """Random ids; the padding's among them nowhere."""
    rng = np.random.default_rng(seed)
    return [[0, *rng.integers(4, 60, size=length - 1).tolist()] for length in lengths]


def head_of(name):
    return "token" if name.startswith("token") else "sequence"


def expected_scores(case, name, ids):
    (states,) = torch_states(case.encoder, [ids], case.loras[name])
    return torch_scores(states[-1], case.heads[name], HEADS[name][0])


@pytest.mark.parametrize("lengths", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["none", *HEADS])
def test_hidden_states_of_one_adapter_are_those_of_merged_weights(case, name, lengths):
    ids = sequences(lengths)
    found = case.network.states([Row(row, case.adapters[name], "sequence") for row in ids])
    for own, theirs in zip(found, torch_states(case.encoder, ids, case.loras[name]), strict=True):
        np.testing.assert_allclose(own[: theirs.shape[1]], theirs[-1], atol=2e-5)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_embeddings_of_every_layer(case, layer, pooling):
    ids = sequences([4, 9, 30])
    settings = EmbeddingPart(layer=layer, pooling=pooling, prefix="", max_length=70)
    names = ["none", "library-3", "mean-2"]
    rows = [Row(row, case.adapters[name], "sequence") for row, name in zip(ids, names, strict=True)]
    vectors = case.network.embeddings(rows, settings, 100)
    for row, name, vector in zip(ids, names, vectors, strict=True):
        (states,) = torch_states(case.encoder, [row], case.loras[name])
        pooled = states[layer].mean(axis=0) if pooling == "mean" else states[layer][0]
        np.testing.assert_allclose(vector, pooled / np.linalg.norm(pooled), atol=2e-5)


@pytest.mark.parametrize("name", HEADS)
def test_scores_of_one_adapter(case, name):
    ids = sequences([7, 1, 40, 12])
    found = case.network.scores([Row(row, case.adapters[name], head_of(name)) for row in ids], 64)
    for row, own in zip(ids, found, strict=True):
        np.testing.assert_allclose(own, expected_scores(case, name, row), atol=5e-5)


def test_rows_of_all_adapters_in_one_batch(case):
    names = [*HEADS, *reversed(HEADS)]
    ids = sequences(range(3, 3 + len(names)))
    rows = [Row(row, case.adapters[name], head_of(name)) for row, name in zip(ids, names, strict=True)]
    found = case.network.scores(rows, 10_000)
    for row, name, own in zip(ids, names, found, strict=True):
        np.testing.assert_allclose(own, expected_scores(case, name, row), atol=5e-5)


@pytest.mark.parametrize("pair", [*itertools.combinations(["none", *HEADS], 2)], ids="+".join)
def test_any_two_share_a_batch(roberta, pair):
    """Two token heads, say, with no sequence head among the weights of the batch."""
    ids = sequences([6, 4])
    network = roberta.network
    rows = [Row(row, roberta.adapters[name], head_of(name)) for row, name in zip(ids, pair, strict=True)]
    network._bank = ((), {})
    for row, name, own in zip(ids, pair, network.scores(rows, 100), strict=True):
        if name != "none":
            np.testing.assert_allclose(own, expected_scores(roberta, name, row), atol=5e-5)


@given(
    rows=st.lists(st.tuples(st.sampled_from(["none", *HEADS]), st.integers(1, 20)), min_size=1, max_size=12),
    seed=st.integers(0, 100),
    tokens=st.integers(1, 200),
)
@settings(max_examples=25)
def test_a_random_mixture_equals_one_adapter_at_a_time(roberta, rows, seed, tokens):
    network, adapters = roberta.network, roberta.adapters
    network._bank = ((), {})
    ids = sequences([length for _, length in rows], seed)
    names = [name for name, _ in rows]
    mixed = network.states([Row(row, adapters[name], "sequence") for row, name in zip(ids, names, strict=True)])
    asked = [Row(row, adapters[name], head_of(name)) for row, name in zip(ids, names, strict=True)]
    scores = network.scores(asked, tokens)
    for place, row in enumerate(asked):
        alone = network.states([row])
        np.testing.assert_allclose(mixed[place, : len(row.ids)], alone[0], atol=2e-5)
        if row.adapter is not None:
            np.testing.assert_allclose(scores[place], network.scores([row], 1)[0], atol=5e-5)


def test_padding_within_a_sequence_keeps_xlm_r_positions(case):
    """Whether a token is padding is asked of its id, as torch does for positions, and of the mask elsewhere."""
    ids = np.array([[0, 9, 1, 12, 2, 1, 1]])
    mask = np.array([[1, 1, 0, 1, 1, 0, 0]])
    with torch.no_grad():
        expected = case.encoder.model(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)
        ).last_hidden_state.numpy()
    found = case.network._single.run([HIDDEN], {"input_ids": ids, "attention_mask": mask})[0]
    np.testing.assert_allclose(found[0][mask[0] == 1], expected[0][mask[0] == 1], atol=2e-5)


def test_the_bare_form_is_the_single_one_without_adapters(case):
    ids, mask = padded(sequences([3, 20, 70]), 1)
    given = {"input_ids": ids, "attention_mask": mask}
    (bare,), (single,) = (session.run([HIDDEN], given) for session in (case.network._bare, case.network._single))
    np.testing.assert_allclose(bare[mask == 1], single[mask == 1], atol=1e-5)


@pytest.mark.parametrize("quantize", ["int8", "uint8", "static-int8", "static-uint8", "int4"])
def test_quantized_weights_stay_near_float32(roberta, quantize, tmp_path):
    ids = sequences([5, 20, 33])
    calibration = Calibration(roberta.encoder.model)
    with calibration.watching(roberta.encoder.model):
        torch_ids = [torch.tensor([row]) for row in ids]
        for row in torch_ids:
            roberta.encoder.model(input_ids=row)
    assert set(calibration.ranges) == {
        name for name, layer in roberta.encoder.model.named_modules() if isinstance(layer, torch.nn.Linear)
    }
    network = network_of(roberta.encoder, tmp_path, Storage("any", quantize, "int8"), calibration.ranges)
    own = network.states([Row(row, None, "sequence") for row in ids])
    for found, expected in zip(own, torch_states(roberta.encoder, ids, {}), strict=True):
        theirs = expected[-1]
        near = found[: len(theirs)]
        cosine = (near * theirs).sum(-1) / np.linalg.norm(near, axis=-1) / np.linalg.norm(theirs, axis=-1)
        assert cosine.min() > (0.98 if quantize == "int4" else 0.998)
