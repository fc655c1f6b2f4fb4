"""A recipe as small as one can be, and what is said of others."""

import pytest

from lowres_stilts.errors import RecipeError
from lowres_stilts.recipe import Recipe

GOOD = """\
name: small
model:
  id: some/model
data:
  source: starter
intermediate:
  tasks: [starter-reply]
target:
  task: starter-topic
  train:
    lr: 1e-4
"""


def refusal(path, overrides=()):
    """The one line that says why."""
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message
