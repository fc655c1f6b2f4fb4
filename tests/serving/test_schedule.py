from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.serving.schedule import AHEAD, Piece, Schedule, fitting

BUDGET, FILL = 64, 0.8
LENGTHS = st.integers(1, 100)
PIECES = st.lists(st.tuples(st.sampled_from("abc"), LENGTHS, st.sampled_from("xy")), max_size=60)


def everything(_: Piece) -> bool:
    return True


def filled(pieces, tokens=BUDGET):
    schedule = Schedule(tokens, FILL)
    for number, (client, length, group) in enumerate(pieces):
        schedule.add(client, [Piece(client, number, length, group)])
    return schedule


def batches(schedule, is_wanted=everything):
    while batch := schedule.take(is_wanted):
        yield batch


@given(PIECES)
def test_every_sequence_comes_out_once(pieces):
    schedule = filled(pieces)
    assert len(schedule) == len(pieces)
    out = [piece.number for batch in batches(schedule) for piece in batch]
    assert sorted(out) == list(range(len(pieces)))
    assert len(schedule) == 0


@given(PIECES)
def test_batches_keep_to_budget_group_and_fill(pieces):
    for batch in batches(filled(pieces)):
        lengths = [piece.length for piece in batch]
        assert len({piece.group for piece in batch}) == 1
        if len(batch) > 1:
            assert max(lengths) * len(batch) <= BUDGET
            assert sum(lengths) >= FILL * max(lengths) * len(batch)


@given(PIECES)
def test_one_clients_sequences_of_equal_length_keep_their_order(pieces):
    seen = {}
    for batch in batches(filled([(client, 8, "x") for client, _, _ in pieces])):
        for piece in batch:
            assert seen.get(piece.owner, -1) < piece.number
            seen[piece.owner] = piece.number


@given(PIECES, st.sets(st.integers(0, 60)))
def test_what_nobody_waits_for_never_runs(pieces, unwanted):
    schedule = filled(pieces)
    out = {
        piece.number for batch in batches(schedule, lambda piece: piece.number not in unwanted) for piece in batch
    }
    assert out == set(range(len(pieces))) - unwanted
    assert len(schedule) == 0


def test_a_single_request_does_not_wait_for_a_backlog():
    schedule = filled([("greedy", 16, "x")] * 1000)
    schedule.take(everything)
    schedule.add("modest", [Piece("modest", 0, 16, "x")])
    assert "modest" in {piece.owner for piece in schedule.take(everything)}


def test_clients_get_equal_shares_of_tokens_whatever_their_lengths():
    schedule = filled([("long", 32, "x")] * 200 + [("short", 4, "x")] * 1600)
    had = {"long": 0, "short": 0}
    for _ in range(60):
        for piece in schedule.take(everything):
            had[piece.owner] += piece.length
    assert 0.7 < had["long"] / had["short"] < 1.4


def test_whoever_was_away_gets_no_credit():
    schedule = filled([("steady", 16, "x")] * 100)
    for _ in range(20):
        schedule.take(everything)
    for number in range(100):
        schedule.add("back", [Piece("back", number, 16, "x")])
    owners = [piece.owner for _ in range(8) for piece in schedule.take(everything)]
    assert owners.count("steady") >= len(owners) * 0.4


def test_an_unlike_sequence_does_not_starve():
    """Others of one length and group keep coming; a long one, and one of another group, come through."""
    schedule = filled([("a", 60, "x"), ("a", 8, "y")])
    out = []
    for number in range(200):
        schedule.add("a", [Piece("a", 1000 + number, 8, "x")])
        schedule.add("b", [Piece("b", 2000 + number, 8, "x")])
        out += schedule.take(everything)
        if {piece.number for piece in out} >= {0, 1}:
            return
    raise AssertionError("two sequences still wait")


@given(st.lists(LENGTHS, min_size=1, max_size=AHEAD))
def test_the_first_sequence_is_always_taken(lengths):
    chosen = fitting(lengths, BUDGET, FILL)
    assert 0 in chosen
    assert chosen <= set(range(len(lengths)))


HEAVY = st.lists(st.integers(4, BUDGET), min_size=1, max_size=6)
"""Lengths of one heavy client's sequences each."""


def backlog(lengths, count=200):
    schedule = Schedule(BUDGET, FILL)
    for client, length in enumerate(lengths):
        schedule.add(f"heavy {client}", [Piece(f"heavy {client}", n, length, "x") for n in range(count)])
    return schedule


@given(HEAVY, st.integers(0, 40), st.integers(1, 4))
def test_a_light_client_waits_for_one_batch_of_others_at_most(lengths, before, length):
    schedule = backlog(lengths)
    for _ in range(before):
        schedule.take(everything)
    schedule.add("light", [Piece("light", 0, length, "y")])
    owners = {piece.owner for _ in range(2) for piece in schedule.take(everything)}
    assert "light" in owners


@given(HEAVY, st.integers(0, 40))
def test_light_clients_that_come_again_and_again_wait_for_one_batch_of_heavy_ones_each(lengths, before):
    schedule = backlog(lengths, 1000)
    for _ in range(before):
        schedule.take(everything)
    for number in range(30):
        schedule.add(f"light {number % 16}", [Piece("light", number, 1, "y")])
        heavy = 0
        while schedule.take(everything)[0].owner != "light":
            heavy += 1
        assert heavy <= 1
        schedule.take(everything)  # time passes until the next


@given(st.integers(4, BUDGET), st.integers(1, 4), st.booleans())
def test_a_heavy_client_gets_its_share_beside_light_ones_without_end(length, light, are_new):
    schedule = backlog([length])
    had = {"light": 0, "heavy 0": 0}
    for number in range(600):
        client = f"light {number if are_new else number % 4}"
        schedule.add(client, [Piece("light", number, light, "y")])
        for piece in schedule.take(everything):
            had[piece.owner] += piece.length
        if had["heavy 0"]:
            break
    assert had["heavy 0"]
    assert had["light"] <= 4 * BUDGET


@given(PIECES, st.lists(st.booleans(), max_size=60))
def test_nothing_is_kept_of_clients_that_are_gone(pieces, takes):
    schedule = Schedule(BUDGET, FILL)
    for number, (client, length, group) in enumerate(pieces):
        schedule.add(f"{client} {number}", [Piece(client, number, length, group)])
        if number < len(takes) and takes[number]:
            schedule.take(everything)
    list(batches(schedule))
    assert not schedule._lines
    assert not schedule._away
