"""Which head of an intermediate phase a target begins with."""

import pytest

from lowres_stilts.errors import RecipeError
from lowres_stilts.pipeline.kept_head import TrainedHead, head_to_keep
from lowres_stilts.tasks.catalog import REGISTRY

PANX, XNLI, XQUAD = (REGISTRY[name] for name in ("panx", "xnli", "xquad"))


def head(task, name=None, layout="library", **changes):
    told = {"family": task.family, "labels": task.labels} | changes
    return TrainedHead("1-intermediate", name or task.name, layout=layout, **told)


def test_that_of_the_task_itself_comes_first():
    assert head_to_keep(PANX, "mean", [head(PANX, "names"), head(PANX)]).task == "panx"


def test_one_for_the_same_labels_will_do():
    heads = [head(XNLI), head(PANX, "names")]
    assert head_to_keep(PANX, "library", heads).task == "names"
    assert head_to_keep(XQUAD, "library", [head(XQUAD, "squad")]).task == "squad"


def test_the_layout_counts_for_whole_sequences_only():
    assert head_to_keep(PANX, "mean", [head(PANX, layout="library")]).task == "panx"
    with pytest.raises(
        RecipeError, match=r"xnli needs a head for classification \(.*\), layout mean, but xnli has "
    ):
        head_to_keep(XNLI, "mean", [head(XNLI, layout="library")])


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ([], "B-LOC, ...), but there is none; set head: new"),
        ([head(PANX, labels=("O", "B-X"))], ", ...), but panx has tagging (O, B-X); set head: new"),
        ([head(PANX, "a"), head(PANX, "b")], "target.head keep: the heads of a, b all fit panx; set head: new"),
    ],
)
def test_what_does_not_fit_is_told(heads, message):
    with pytest.raises(RecipeError) as caught:
        head_to_keep(PANX, "library", heads)
    assert str(caught.value).startswith("target.head keep: ")
    assert str(caught.value).endswith(message)


def test_labels_in_another_order_are_others():
    with pytest.raises(RecipeError):
        head_to_keep(PANX, "library", [head(PANX, labels=PANX.labels[::-1])])
