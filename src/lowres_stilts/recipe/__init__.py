"""The typed recipe of a run and its YAML file."""

from lowres_stilts.recipe.schema import Recipe

__all__ = ["Recipe"]
