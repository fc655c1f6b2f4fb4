"""Runs a bundle with onnxruntime: no torch, no transformers."""

from lowres_stilts.runtime.bundle import Bundle
from lowres_stilts.runtime.predictions import Answer, Choice, Entity, Label, Prediction, Tagged

__all__ = ["Answer", "Bundle", "Choice", "Entity", "Label", "Prediction", "Tagged"]
