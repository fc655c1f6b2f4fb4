import numpy as np
import pytest
import torch

from lowres_stilts.encoder import packing
from lowres_stilts.encoder.load import load_encoder
from lowres_stilts.encoder.packing import Foreseen, foresee, layout_of
from lowres_stilts.encoder.send import send, send_batch

META = torch.device("meta")


@pytest.fixture
def encoder(tiny_model):
    return load_encoder(str(tiny_model), quantize="none", embeddings="none", compute="float32", device="cpu")


def _batch(lengths):
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    return np.where(mask, np.random.default_rng(0).integers(5, 40, mask.shape), 1), mask


def test_arrays_keep_shapes_and_values():
    arrays = [np.arange(6).reshape(2, 3), np.arange(4), np.zeros((0, 2), np.int64)]
    for tensor, array in zip(send(arrays, torch.device("cpu")), arrays, strict=True):
        assert np.array_equal(tensor.numpy(), array)
    assert [tuple(tensor.shape) for tensor in send(arrays, META)] == [(2, 3), (4,), (0, 2)]


def test_on_another_device_all_arrays_travel_at_once():
    first, second = send([np.arange(6).reshape(2, 3), np.arange(4)], META)
    assert first._base is second._base


@pytest.mark.parametrize("lengths", [[5, 2, 4], [4, 4]])
def test_the_host_tells_the_encoder_what_it_would_find_itself(encoder, lengths, monkeypatch):
    ids, mask = _batch(lengths)
    plain = encoder.model(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).last_hidden_state
    sent = send_batch(encoder, ids, mask, np.arange(3))
    found = encoder.model.encoder.foreseen
    assert found.shape == mask.shape
    if min(lengths) == max(lengths):
        assert found.layout is None
    else:
        own = layout_of(sent[1] == 1)
        assert all(
            torch.equal(getattr(found.layout, name), getattr(own, name)) for name in ("mask", "places", "starts")
        )
    assert torch.equal(sent[2], torch.arange(3))

    def asked(*_):
        raise AssertionError("the mask was looked at")

    monkeypatch.setattr(packing, "layout_of", asked)
    assert torch.equal(encoder.model(sent[0], attention_mask=sent[1]).last_hidden_state, plain)


def test_what_was_foreseen_holds_for_one_batch_of_its_shape(encoder):
    ids, mask = _batch([5, 2, 4])
    plain = encoder.model(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).last_hidden_state
    full = np.ones_like(mask)
    for shape in (full[:2].shape, full.shape):
        foresee(encoder.model, Foreseen(shape, None))
        encoder.model(torch.from_numpy(ids), attention_mask=torch.from_numpy(full))
        found = encoder.model(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).last_hidden_state
        assert torch.equal(found, plain)
