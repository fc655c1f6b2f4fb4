import collections
import itertools

from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.features import pack
from lowres_stilts.training.plan import Job, make_plan

NAMES = ("xnli", "udpos", "squad")
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=25)
SETTINGS = st.fixed_dictionaries(
    {
        "epochs": st.integers(1, 4),
        "tokens_per_batch": st.integers(1, 40),
        "accumulate": st.integers(1, 4),
        "evaluate_every": st.none() | st.integers(1, 5),
        "seed": st.integers(0, 4),
    }
)


@st.composite
def jobs(draw, most=3):
    found = {}
    for name in NAMES[: draw(st.integers(1, most))]:
        lengths = draw(LENGTHS)
        features = pack([[[5] * length] for length in lengths], [0] * len(lengths))
        per_epoch = draw(st.just(len(lengths)) | st.integers(1, 60))
        found[name] = Job(REGISTRY[name], features, per_epoch)
    return found


def drawn(plan, name):
    """The examples of a task in the order of the plan."""
    return [int(e) for update in plan.updates for p in update if p.task == name for e in p.examples]


@given(work=jobs(), how=SETTINGS)
def test_every_epoch_has_as_many_examples_of_each_task_as_it_should(work, how):
    plan = make_plan(work, **how)
    for name, job in work.items():
        assert len(drawn(plan, name)) == how["epochs"] * job.per_epoch


@given(work=jobs(most=1), how=SETTINGS)
def test_no_example_comes_again_before_all_have_come(work, how):
    (name,) = work
    size, per_epoch = len(work[name].features), work[name].per_epoch
    for epochs in range(1, how["epochs"] + 1):
        counts = collections.Counter(drawn(make_plan(work, **how | {"epochs": epochs}), name))
        times = [counts[example] for example in range(size)]
        assert sum(times) == epochs * per_epoch
        assert max(times) - min(times) <= 1


@given(work=jobs(), how=SETTINGS)
def test_batches_hold_one_task_and_keep_the_budget(work, how):
    plan = make_plan(work, **how)
    for update in plan.updates:
        assert 1 <= len(update) <= how["accumulate"]
        for portion in update:
            lengths = work[portion.task].features.lengths()[portion.examples]
            assert len(portion.examples) == 1 or lengths.max() * len(lengths) <= how["tokens_per_batch"]


@given(work=jobs(), how=SETTINGS)
def test_the_dev_sets_are_looked_at_after_the_last_update_and_as_often_as_asked(work, how):
    plan = make_plan(work, **how)
    assert max(plan.looks) == len(plan.updates)
    if how["evaluate_every"]:
        every = range(how["evaluate_every"], len(plan.updates), how["evaluate_every"])
        assert plan.looks == {*every, len(plan.updates)}
    else:
        assert len(plan.looks) == how["epochs"]


@given(work=jobs(), how=SETTINGS)
def test_the_same_seed_gives_the_same_plan(work, how):
    first, second = make_plan(work, **how), make_plan(work, **how)
    assert first.looks == second.looks
    for one, other in itertools.zip_longest(first.updates, second.updates):
        assert [(p.task, p.examples.tolist()) for p in one] == [(p.task, p.examples.tolist()) for p in other]


def test_another_seed_and_another_epoch_give_another_order_and_tasks_alternate():
    features = pack([[[5] * 3]] * 60, [0] * 60)
    work = {name: Job(REGISTRY[name], features, 60) for name in NAMES[:2]}
    how = {"epochs": 2, "tokens_per_batch": 9, "accumulate": 1, "evaluate_every": None}
    first, second = (make_plan(work, **how, seed=seed) for seed in (1, 2))
    assert drawn(first, "xnli") != drawn(second, "xnli")
    assert drawn(first, "xnli")[:60] != drawn(first, "xnli")[60:]
    order = [update[0].task for update in first.updates]
    assert len(list(itertools.groupby(order))) > 20
