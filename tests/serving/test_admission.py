import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.serving.admission import Admission, Demand
from lowres_stilts.serving.problems import Refusal
from lowres_stilts.serving.settings import Queue
from lowres_stilts.serving.work import Speed

QUEUE = Queue()
FULL = QUEUE.tokens_per_run
BATCHES = st.lists(st.tuples(st.integers(1, 4096), st.floats(0, 1000), st.integers(0, 4096)), max_size=30)
CLIENTS = st.sampled_from("abcd")
REQUESTS = st.lists(st.tuples(CLIENTS, st.integers(0, 5000)), max_size=40)


def admission(history=(), queue=QUEUE):
    speed = Speed(queue.tokens_per_run)
    for batch in history:
        speed.learn(*batch)
    return Admission(queue, speed.seconds)


def steady(seconds_per_batch, queue=QUEUE):
    return Admission(queue, Speed(queue.tokens_per_run, seconds_per_batch).seconds)


def ask(made, client, tokens, sequences=1, characters=1):
    demand = Demand(sequences, characters, tokens)
    made.require_room(client, demand)
    made.add(client, demand)


def is_let_in(made, client, tokens):
    try:
        ask(made, client, tokens)
    except Refusal as refusal:
        assert refusal.status == 429
        assert int(refusal.response().headers["retry-after"]) >= 1
        return False
    return True


@given(BATCHES, st.lists(CLIENTS, min_size=1, max_size=20))
def test_an_idle_service_admits_a_full_batch_whatever_it_learned(history, clients):
    made = admission(history)
    for client in clients:
        ask(made, client, FULL // len(clients))


@given(BATCHES, st.integers(0, 10**6))
def test_an_idle_service_admits_any_single_request_within_limits(history, tokens):
    ask(admission(history), "a", tokens, QUEUE.sequences, QUEUE.characters)


@given(BATCHES, REQUESTS, st.integers(0, 10**6))
def test_nobody_is_refused_while_the_network_has_less_than_a_batch_for_each_run(history, requests, tokens):
    made = admission(history)
    for client, asked in requests:
        is_free = made.total.tokens < QUEUE.runs * FULL
        assert is_let_in(made, client, asked) or not is_free
    if made.total.tokens < QUEUE.runs * FULL:
        ask(made, "e", tokens)


@given(BATCHES, REQUESTS)
def test_what_is_through_leaves_nothing_behind(history, requests):
    made = admission(history)
    accepted = [(client, tokens) for client, tokens in requests if is_let_in(made, client, tokens)]
    for client, tokens in accepted:
        made.add(client, Demand(1, 1, tokens), -1)
    assert (made.clients, made.total) == (0, Demand())


@given(st.lists(st.integers(1, 10**5), max_size=8), st.integers(0, 10**5), st.integers(0, 10**5))
def test_a_client_waits_for_as_much_of_each_other_as_for_its_own(held, own, more):
    made = steady(0.1)
    for number, tokens in enumerate(held):
        made.add(str(number), Demand(1, 1, tokens))
    made.add("own", Demand(1, 1, own))
    mine = own + more
    assert made.tokens_until("own", more) == mine + sum(min(tokens, mine) for tokens in held)


def test_pings_do_not_make_long_texts_wait():
    """Eight clients with 2,000 characters each, after 60 pings."""
    speed = Speed(FULL, 0.5)
    for _ in range(60):
        speed.learn(3, 0.02, 0)
    made = Admission(QUEUE, speed.seconds)
    assert all(is_let_in(made, client, 602) for client in "abcdefgh")


def test_a_light_client_is_let_in_beside_a_heavy_one():
    made = steady(0.5)
    ask(made, "heavy", 39 * 512)
    assert all(is_let_in(made, f"light {number}", 4) for number in range(16))


def test_overload_is_refused_the_heavy_client_first():
    made = steady(0.5)
    for client in ("heavy", "light"):
        ask(made, client, FULL)
    while is_let_in(made, "heavy", FULL):
        pass
    assert made.seconds(made.total.tokens) <= QUEUE.wait_seconds
    assert is_let_in(made, "light", FULL)
    assert is_let_in(made, "another", FULL)
    assert not is_let_in(made, "heavy", 1)
    while is_let_in(made, "light", FULL):
        pass
    assert not is_let_in(made, "light", FULL)


def test_many_clients_make_each_other_wait_and_are_refused():
    made = steady(0.5)
    refused = [number for number in range(100) if not is_let_in(made, str(number), FULL)]
    assert refused == list(range(8, 100))


def test_a_client_alone_may_have_all_of_the_wait():
    made = steady(0.5, Queue(client_share=0.1))
    assert [is_let_in(made, "a", FULL) for _ in range(9)] == [True] * 8 + [False]


@pytest.mark.parametrize(("sequences", "characters"), [(3, 0), (0, 50)])
def test_one_client_leaves_room_for_another_in_the_queue(sequences, characters):
    made = steady(0.001, Queue(sequences=8, characters=120, client_share=0.5))
    ask(made, "greedy", 10, sequences, characters)
    with pytest.raises(Refusal):
        ask(made, "greedy", 10, sequences, characters)
    ask(made, "modest", 10, sequences, characters)


def test_a_request_larger_than_a_share_is_let_in_alone():
    made = steady(0.001, Queue(sequences=8, client_share=0.5))
    ask(made, "modest", 10)
    ask(made, "large", 10, sequences=6)


def test_what_never_fits_is_too_large():
    with pytest.raises(Refusal) as refused:
        steady(1).require_room("a", Demand(1, QUEUE.characters + 1, 1))
    assert refused.value.status == 413


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4 * FULL)), max_size=200))
def test_what_all_wait_for_is_bounded(requests):
    made = steady(0.5)
    for number, tokens in requests:
        is_let_in(made, str(number), tokens)
    slack = max(0, *(tokens for _, tokens in requests), 0) if requests else 0
    assert made.seconds(made.total.tokens) <= 2 * QUEUE.wait_seconds + 2 * 0.5 + slack / FULL
