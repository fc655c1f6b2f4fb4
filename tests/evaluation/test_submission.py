import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowres_stilts.errors import DataError
from lowres_stilts.evaluation.submission import read_predictions, write_predictions
from lowres_stilts.tasks.registry import REGISTRY

LABELS = st.sampled_from(REGISTRY["xnli"].labels)
TAGS = st.lists(st.sampled_from(REGISTRY["panx"].labels), min_size=1, max_size=5).map(tuple)
PREDICTIONS = {"xnli": LABELS, "panx": TAGS, "xcopa": st.integers(0, 1), "tatoeba": st.integers(0, 999)}


@pytest.mark.parametrize("name", sorted(PREDICTIONS))
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_round_trip(name, data, tmp_path):
    predictions = data.draw(st.lists(PREDICTIONS[name], min_size=1, max_size=10))
    path = tmp_path / "test-sw.tsv"
    write_predictions(path, REGISTRY[name], predictions)
    assert read_predictions(path, REGISTRY[name], len(predictions)) == predictions


def test_the_format_is_xtremes(tmp_path):
    path = tmp_path / "test-sw.tsv"
    write_predictions(path, REGISTRY["panx"], [("B-PER", "I-PER"), ("O",)])
    assert path.read_text() == "B-PER\nI-PER\n\nO\n\n"
    write_predictions(path, REGISTRY["tatoeba"], [3, 0])
    assert path.read_text() == "3\n0\n"


def test_another_number_of_predictions_is_refused(tmp_path):
    path = tmp_path / "test-sw.tsv"
    write_predictions(path, REGISTRY["xnli"], ["neutral"])
    with pytest.raises(DataError, match="1 predictions for 2 examples"):
        read_predictions(path, REGISTRY["xnli"], 2)
    with pytest.raises(DataError, match="cannot be read as predictions of xcopa"):
        read_predictions(path, REGISTRY["xcopa"], 1)
