import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.tasks.batches import make_batch, plan_batches
from lowres_stilts.tasks.features import UNLABELLED, Features, pack

NESTED = st.lists(
    st.lists(st.lists(st.integers(2, 99), min_size=1, max_size=12), min_size=1, max_size=4),
    min_size=1,
    max_size=25,
)


@given(NESTED, st.integers(4, 80), st.none() | st.integers(0, 99))
def test_every_example_once_and_within_the_budget(nested, budget, seed):
    features = pack(nested, [0] * len(nested))
    rng = None if seed is None else np.random.default_rng(seed)
    batches = plan_batches(features, budget, rng)
    assert sorted(np.concatenate(batches)) == list(range(len(nested)))
    for batch in batches:
        padded = features.lengths()[batch].max() * features.widths()[batch].sum()
        assert padded <= budget or len(batch) == 1
    again = plan_batches(features, budget, None if seed is None else np.random.default_rng(seed))
    assert [list(batch) for batch in again] == [list(batch) for batch in batches]


@given(NESTED)
def test_a_batch_holds_the_tokens_of_its_examples_and_padding(nested):
    features = pack(nested, list(range(len(nested))))
    chosen = list(range(len(nested)))[::-1]
    batch = make_batch(features, chosen, pad_id=1)
    rows = [sequence for example in chosen for sequence in nested[example]]
    assert [list(ids[: mask.sum()]) for ids, mask in zip(batch.ids, batch.mask, strict=True)] == rows
    assert (batch.ids[batch.mask == 0] == 1).all()
    assert list(batch.labels) == chosen
    assert list(batch.widths) == [len(nested[example]) for example in chosen]
    assert batch.labelled == len(chosen)


def test_labels_of_tokens_stand_at_their_tokens():
    features = pack(
        [[[5, 6, 7]], [[8, 9]]], [UNLABELLED, 3, UNLABELLED, UNLABELLED, 4], [False, True, False, False, True]
    )
    batch = make_batch(features, [1, 0], pad_id=1)
    assert batch.labels.tolist() == [[UNLABELLED, 4, UNLABELLED], [UNLABELLED, 3, UNLABELLED]]
    assert batch.labelled == 2


@given(NESTED)
def test_features_survive_the_disk(tmp_path_factory, nested):
    path = tmp_path_factory.mktemp("features") / "f.npz"
    features = pack(nested, [1] * len(nested))
    features.save(path)
    again = Features.load(path)
    for name in ("ids", "sequences", "examples", "labels", "first_pieces"):
        assert np.array_equal(getattr(again, name), getattr(features, name))
    assert len(again) == len(nested)
