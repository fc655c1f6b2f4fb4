import numpy as np
import torch
from torch.nn.functional import cross_entropy

from lowres_stilts.training.loss import summed_loss


def test_choices_of_a_prompt_compete_with_each_other_only():
    scores = torch.tensor([[1.0], [2.0], [0.5], [0.1], [3.0]])
    loss = summed_loss("multiple_choice", scores, torch.tensor([1, 2]), torch.ones(5, 7), np.array([2, 3]))
    expected = cross_entropy(scores[:2, 0], torch.tensor(1)) + cross_entropy(scores[2:, 0], torch.tensor(2))
    torch.testing.assert_close(loss, expected)


def test_unlabelled_tokens_do_not_count():
    scores = torch.randn(2, 3, 4)
    labels = torch.tensor([[0, -100, 2], [-100, -100, 1]])
    loss = summed_loss("tagging", scores, labels, torch.ones(2, 3), np.array([1, 1]))
    kept = labels != -100
    torch.testing.assert_close(loss, cross_entropy(scores[kept], labels[kept], reduction="sum"))


def test_the_positions_of_an_answer_compete_and_padding_never_wins():
    scores = torch.randn(2, 4, 2)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    labels = torch.tensor([[1, 3], [0, 1]])
    loss = summed_loss("qa", scores, labels, mask, np.array([2]))
    expected = sum(
        cross_entropy(scores[row, : mask[row].sum(), column], labels[row, column], reduction="sum")
        for row in range(2)
        for column in range(2)
    )
    torch.testing.assert_close(loss, expected)
    louder = scores.masked_fill(mask[..., None] == 0, 100.0)
    torch.testing.assert_close(summed_loss("qa", louder, labels, mask, np.array([2])), expected)


def test_an_answer_that_is_not_known_does_not_count():
    labels = torch.tensor([[-100, -100], [0, 1]])
    scores = torch.randn(2, 3, 2)
    loss = summed_loss("qa", scores, labels, torch.ones(2, 3), np.array([1, 1]))
    torch.testing.assert_close(loss, summed_loss("qa", scores[1:], labels[1:], torch.ones(1, 3), np.array([1])))
