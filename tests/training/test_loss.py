import numpy as np
import torch
from torch.nn.functional import cross_entropy

from lowres_stilts.training.loss import summed_loss


def test_choices_of_a_prompt_compete_with_each_other_only():
    scores = torch.tensor([[1.0], [2.0], [0.5], [0.1], [3.0]])
    loss = summed_loss("multiple_choice", scores, torch.tensor([1, 2]), np.array([2, 3]))
    expected = cross_entropy(scores[:2, 0], torch.tensor(1)) + cross_entropy(scores[2:, 0], torch.tensor(2))
    torch.testing.assert_close(loss, expected)


def test_unlabelled_tokens_do_not_count():
    scores = torch.randn(2, 3, 4)
    labels = torch.tensor([[0, -100, 2], [-100, -100, 1]])
    loss = summed_loss("tagging", scores, labels, np.array([1, 1]))
    kept = labels != -100
    torch.testing.assert_close(loss, cross_entropy(scores[kept], labels[kept], reduction="sum"))
