import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.tasks.batches import make_batch, plan_batches
from lowres_stilts.tasks.features import UNLABELLED, pack

PAD = 1
SEQUENCE = st.lists(st.integers(2, 99), min_size=1, max_size=9)
NESTED = st.lists(st.lists(SEQUENCE, min_size=1, max_size=4), min_size=1, max_size=12)
BUDGET = st.integers(1, 60)
SEED = st.none() | st.integers(0, 5)


def rng(seed):
    return None if seed is None else np.random.default_rng(seed)


def plan(features, budget, seed):
    return [batch.tolist() for batch in plan_batches(features, budget, rng(seed))]


def padded_tokens(nested, batch):
    rows = [ids for example in batch for ids in nested[example]]
    return len(rows) * max(map(len, rows))


@given(nested=NESTED, budget=BUDGET, seed=SEED)
def test_every_example_is_in_exactly_one_batch(nested, budget, seed):
    batches = plan(pack(nested, [0] * len(nested)), budget, seed)
    assert sorted(itertools.chain(*batches)) == list(range(len(nested)))
    assert all(batches)


@given(nested=NESTED, budget=BUDGET, seed=SEED)
def test_only_an_example_alone_passes_the_budget(nested, budget, seed):
    for batch in plan(pack(nested, [0] * len(nested)), budget, seed):
        assert padded_tokens(nested, batch) <= budget or len(batch) == 1


@given(nested=NESTED, budget=BUDGET)
def test_without_a_generator_the_longest_come_first(nested, budget):
    order = list(itertools.chain(*plan(pack(nested, [0] * len(nested)), budget, None)))
    lengths = [max(map(len, nested[example])) for example in order]
    assert lengths == sorted(lengths, reverse=True)


@given(nested=NESTED, budget=BUDGET, seed=st.integers(0, 5))
def test_the_same_seed_gives_the_same_plan(nested, budget, seed):
    features = pack(nested, [0] * len(nested))
    assert plan(features, budget, seed) == plan(features, budget, seed)


def test_another_seed_gives_other_batches_in_another_order():
    features = pack([[[5] * (1 + number % 3)] for number in range(60)], [0] * 60)
    first, second = plan(features, 12, 1), plan(features, 12, 2)
    assert sorted(map(sorted, first)) != sorted(map(sorted, second))
    lengths = [int(features.lengths()[batch[0]]) for batch in first]
    assert lengths != sorted(lengths)
    assert lengths != sorted(lengths, reverse=True)


def test_examples_of_equal_length_keep_their_order():
    features = pack([[[5] * (1 + number % 3)] for number in range(60)], [0] * 60)
    order = list(itertools.chain(*plan(features, 12, None)))
    assert order == [number for rest in (2, 1, 0) for number in range(60) if number % 3 == rest]


def test_equal_lengths_fill_the_budget():
    features = pack([[[5] * 4]] * 10, [0] * 10)
    assert [len(batch) for batch in plan(features, 12, None)] == [3, 3, 3, 1]
    assert [len(batch) for batch in plan(features, 11, None)] == [2] * 5
    assert plan(pack([], []), 12, None) == []


@given(nested=NESTED, data=st.data())
def test_a_batch_has_its_examples_tokens_padding_and_labels(nested, data):
    labels = data.draw(st.lists(st.integers(-1, 3), min_size=len(nested), max_size=len(nested)))
    labels = [UNLABELLED if label < 0 else label for label in labels]
    chosen = data.draw(st.lists(st.sampled_from(range(len(nested))), min_size=1, max_size=5, unique=True))
    batch = make_batch(pack(nested, labels), chosen, PAD)
    rows = [ids for example in chosen for ids in nested[example]]
    assert batch.ids.shape == batch.mask.shape == (len(rows), max(map(len, rows)))
    assert [ids[mask == 1].tolist() for ids, mask in zip(batch.ids, batch.mask, strict=True)] == rows
    assert set(batch.ids[batch.mask == 0].tolist()) <= {PAD}
    assert batch.mask.sum(axis=1).tolist() == [len(ids) for ids in rows]
    assert all(mask.tolist() == sorted(mask, reverse=True) for mask in batch.mask)
    assert batch.examples.tolist() == chosen
    assert batch.widths.tolist() == [len(nested[example]) for example in chosen]
    assert batch.labels.tolist() == [labels[example] for example in chosen]
    assert batch.labelled == sum(labels[example] != UNLABELLED for example in chosen)


@given(nested=NESTED, data=st.data())
def test_labels_of_tokens_stay_with_their_tokens(nested, data):
    # A token's label is its id, so that each is recognised.
    flat = [token for sequences in nested for ids in sequences for token in ids]
    labelled = data.draw(st.lists(st.booleans(), min_size=len(flat), max_size=len(flat)))
    labels = [token if known else UNLABELLED for token, known in zip(flat, labelled, strict=True)]
    chosen = data.draw(st.lists(st.sampled_from(range(len(nested))), min_size=1, max_size=5, unique=True))
    batch = make_batch(pack(nested, labels, carriers=labelled), chosen, PAD)
    known = batch.labels != UNLABELLED
    assert (batch.labels[known] == batch.ids[known]).all()
    assert not known[batch.mask == 0].any()
    bounds = list(itertools.accumulate((sum(map(len, sequences)) for sequences in nested), initial=0))
    assert batch.labelled == sum(sum(labelled[bounds[example] : bounds[example + 1]]) for example in chosen)


@given(nested=NESTED, data=st.data())
def test_labels_of_windows_stay_with_their_windows(nested, data):
    flat = [ids for sequences in nested for ids in sequences]
    labels = [(number, ids[0]) for number, ids in enumerate(flat)]
    offsets = [(-1, -1)] * sum(map(len, flat))
    chosen = data.draw(st.lists(st.sampled_from(range(len(nested))), min_size=1, max_size=5, unique=True))
    batch = make_batch(pack(nested, labels, offsets=offsets), chosen, PAD)
    assert [(flat[number], number) for number, _ in batch.labels.tolist()] == [
        (ids[mask == 1].tolist(), number)
        for ids, mask, (number, _) in zip(batch.ids, batch.mask, batch.labels.tolist(), strict=True)
    ]
    first = list(itertools.accumulate(map(len, nested), initial=0))
    wanted = [number for example in chosen for number in range(first[example], first[example + 1])]
    assert batch.labels[:, 0].tolist() == batch.rows.tolist() == wanted


@given(nested=NESTED, budget=BUDGET, seed=SEED, data=st.data())
def test_only_what_is_chosen_is_planned_and_as_often(nested, budget, seed, data):
    chosen = data.draw(st.lists(st.sampled_from(range(len(nested))), max_size=20))
    batches = plan_batches(pack(nested, [0] * len(nested)), budget, rng(seed), np.array(chosen, np.int64))
    assert sorted(itertools.chain(*(batch.tolist() for batch in batches))) == sorted(chosen)
