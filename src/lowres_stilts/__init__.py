"""English intermediate-task training for low-resource languages on one consumer GPU."""

__version__ = "0.1.0"
