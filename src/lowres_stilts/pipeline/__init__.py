"""The three phases, from a recipe to a run folder, resumable at any moment."""

from lowres_stilts.pipeline.run import run

__all__ = ["run"]
