import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, BitsAndBytesConfig

from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.encoder.quantize import stored_bytes
from lowres_stilts.errors import EncoderError
from tests.models import tiny_base, write_tiny_model

FAMILIES = ["xlm-roberta", "xlm-roberta-xl", "bert"]


@pytest.fixture(scope="session", params=FAMILIES)
def folder(request, once):
    return tiny_base(once, request.param)


def _quantization(quantize, dtype):
    if quantize == "none":
        return None
    if quantize == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def _stored(weight):
    """All that a weight consists of."""
    state = getattr(weight, "quant_state", None)
    constants = {} if state is None else state.as_dict(packed=True)
    scales = getattr(weight, "SCB", None)
    return {"": weight.data, **constants, **({} if scales is None else {"SCB": scales})}


@pytest.mark.parametrize("compute", ["float32", "bf16"])
@pytest.mark.parametrize("quantize", ["none", "int8", "nf4"])
def test_weights_are_those_that_transformers_loads(folder, quantize, compute):
    dtype = {"float32": torch.float32, "bf16": torch.bfloat16}[compute]
    encoder = load_encoder(str(folder), quantize=quantize, embeddings="none", compute=compute, device="cpu")
    expected = AutoModel.from_pretrained(
        folder, add_pooling_layer=False, dtype=dtype, quantization_config=_quantization(quantize, dtype)
    )
    ours, theirs = (dict(model.named_parameters()) for model in (encoder.model, expected))
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        found, wanted = _stored(weight), _stored(theirs[name])
        assert found.keys() == wanted.keys()
        assert all(torch.equal(value, wanted[part]) for part, value in found.items())
        assert type(weight) is type(theirs[name])
    buffers = dict(expected.named_buffers())
    assert all(torch.equal(value, buffers[name]) for name, value in encoder.model.named_buffers())
    for attribute in ("is_loaded_in_4bit", "is_loaded_in_8bit", "quantization_method"):
        assert getattr(encoder.model, attribute, None) == getattr(expected, attribute, None)


@pytest.mark.parametrize("layout", ["shards", "pickled", "prefixed", "old names"])
def test_all_layouts_of_a_checkpoint_give_the_same_weights(tmp_path, layout):
    whole = write_tiny_model(tmp_path / "whole", "bert")
    other = shutil.copytree(whole, tmp_path / "other")
    weights = load_file(whole / "model.safetensors")
    (other / "model.safetensors").unlink()
    if layout == "shards":
        AutoModel.from_pretrained(whole).save_pretrained(other, max_shard_size="50KB")
        assert len(list(other.glob("*.safetensors"))) > 1
    elif layout == "pickled":
        torch.save(weights, other / "pytorch_model.bin")
    elif layout == "prefixed":
        save_file({f"bert.{name}": value for name, value in weights.items()}, other / "model.safetensors")
    else:
        renamed = {
            name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): value
            for name, value in weights.items()
        }
        assert renamed.keys() != weights.keys()
        save_file(renamed, other / "model.safetensors")
    first, second = (load_encoder(str(each), embeddings="nf4", device="cpu").model for each in (whole, other))
    found = second.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in first.state_dict().items())


def test_a_checkpoint_without_a_weight_is_refused_by_its_name(tmp_path):
    folder = write_tiny_model(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(EncoderError, match=r"has no weight encoder\.layer\.1\.output\.dense\.bias"):
        load_encoder(str(folder), device="cpu")


@pytest.mark.parametrize("damage", ["short", "no header", "no weights"])
def test_a_damaged_checkpoint_is_one_clear_line(tmp_path, damage):
    folder = write_tiny_model(tmp_path / "m")
    path = folder / "model.safetensors"
    if damage == "no weights":
        path.unlink()
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.write_bytes(b"\xff" * 20)
    with pytest.raises(EncoderError) as caught:
        load_encoder(str(folder), device="cpu")
    assert "\n" not in str(caught.value)


def test_nf4_embeddings_take_half_of_int8_ones(folder):
    sizes = {
        kind: stored_bytes(load_encoder(str(folder), embeddings=kind, device="cpu").model.get_input_embeddings())
        for kind in ("none", "int8", "nf4")
    }
    config = AutoConfig.from_pretrained(folder)
    values = config.vocab_size * config.hidden_size
    table = 16 * 4
    assert sizes == {
        "none": 2 * values,
        "int8": values + 4 * config.vocab_size,
        "nf4": values // 2 + 4 * values // 64 + table,
    }
