"""The files of a package, and what a repository may hold."""

from lowres_stilts.errors import PackageError
from lowres_stilts.runtime.sums import BUNDLE
from lowres_stilts.sums import Sums

NAME = "[A-Za-z0-9][A-Za-z0-9_-]*"
FILE = (
    r"stilts\.json|README\.md|head\.safetensors"
    r"|adapter_config\.json|adapter_model\.safetensors|adapter\.safetensors"
    r"|head_config\.json|model_head\.safetensors"
    r"|adapter_fusion_config\.json|model_adapter_fusion\.safetensors"
    rf"|(?:below|languages)/{NAME}/(?:adapter_config\.json|adapter\.safetensors)"
)
"""Files that packages may have beside their sums; none of them unpickles."""
LARGEST = 512_000_000
"""Bytes of a file; a module is a few megabytes, but an AdapterFusion over a large encoder is hundreds."""
PACKAGE = Sums("package", FILE, LARGEST, PackageError)
verify_sums = PACKAGE.verify
write_sums = PACKAGE.write


def can_belong(name: str) -> bool:
    """Whether some package or bundle has a file of this name."""
    return PACKAGE.can_list(name) or BUNDLE.can_list(name)
