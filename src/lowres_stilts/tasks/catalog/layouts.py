"""What several entries of the catalog share: path templates, readers and places on the Hub."""

from collections.abc import Mapping
from types import MappingProxyType

from lowres_stilts.data.examples import Defect
from lowres_stilts.data.hub import HubDataset
from lowres_stilts.data.tables import tsv
from lowres_stilts.tasks.task import Split

SQUAD_FILES: Mapping[Split, str] = MappingProxyType(
    {"train": "squad/train-v1.1.json", "dev": "squad/dev-v1.1.json"}
)
XNLI_TRAINING: Mapping[Split, str] = MappingProxyType({"train": "xnli/train-en.tsv", "dev": "xnli/dev-en.tsv"})
NLI_FIELDS = ("premise", "hypothesis")
read_nli = tsv(*NLI_FIELDS, "label")
XTREME_ON_HUB = "google/xtreme"
BLANK_TEXTS: frozenset[Defect] = frozenset({"blank text"})
BLANK_TOKENS: frozenset[Defect] = frozenset({"blank token"})
UNDECIDED: frozenset[Defect] = frozenset({"undecided label"})
PARQUET = "refs/convert/parquet"
"""The Hub's own conversion of data sets that have a loading script."""


def files(folder: str, suffix: str = "tsv", dev: str = "dev") -> Mapping[Split, str]:
    """XTREME's layout: `folder/split-lang.suffix`."""
    return MappingProxyType(
        {
            "train": f"{folder}/train-{{lang}}.{suffix}",
            "dev": f"{folder}/{dev}-{{lang}}.{suffix}",
            "test": f"{folder}/test-{{lang}}.{suffix}",
        }
    )


def glue(config: str, fields: Mapping[str, str]) -> HubDataset:
    """A task of GLUE on the Hub."""
    return HubDataset("nyu-mll/glue", config, fields=fields)
