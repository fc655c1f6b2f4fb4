"""What one answer for all scores, and which scores could be that."""

import pytest

from lowres_stilts.evaluation.chance import is_within_noise, score_of_one_answer
from lowres_stilts.tasks.catalog import REGISTRY
from tests.sample_answers import ASKED, CHOICES, NAMES, TAGGED, TEXTS


@pytest.mark.parametrize(
    ("task", "examples", "expected"),
    [
        ("pawsx", TEXTS, 60.0),
        ("xcopa", CHOICES, 50.0),
        ("panx", NAMES, 0.0),
        ("udpos", TAGGED, 0.0),
        ("xquad", ASKED, 0.0),
    ],
)
def test_chance_is_what_one_answer_for_all_gets(task, examples, expected):
    assert score_of_one_answer(REGISTRY[task], examples, "sw") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("score", "chance", "examples", "expected"),
    [
        (59.9, 50.0, 100, True),
        (60.1, 50.0, 100, False),
        (1.9, 0.0, 100, True),
        (2.1, 0.0, 100, False),
        (51.1, 50.0, 1_000_000, True),
        (33.3, 33.3, None, True),
        (33.4, 33.3, None, False),
    ],
)
def test_noise_is_two_standard_errors_and_no_less_than_two_points(score, chance, examples, expected):
    assert is_within_noise(score, chance, examples) is expected
