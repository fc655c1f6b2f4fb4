"""The files of a bundle, and of an adapter's folder."""

from lowres_stilts.errors import BundleError
from lowres_stilts.sums import Sums

NAME = "[A-Za-z0-9][A-Za-z0-9._+-]*"
LARGEST = 50_000_000_000
"""Bytes of a file: the weights of an encoder of ten billion parameters in float32 are fewer."""
BUNDLE = Sums(
    "bundle",
    r"bundle\.json|adapter\.json|README\.md|tokenizer\.json|weights\.bin"
    rf"|{NAME}\.onnx|(?:adapters/)?{NAME}\.onnx_adapter",
    LARGEST,
    BundleError,
)
verify_sums = BUNDLE.verify
write_sums = BUNDLE.write
