"""XTREME's translate-train files: English texts, their translations, the label."""

import pytest

from lowres_stilts.data.examples import TextExample
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.catalog import REGISTRY
from lowres_stilts.tasks.source import FolderSource

FILES = {
    "xnli": ("XNLI/translate-train/en-sw-translated.tsv", "contradictory", "contradiction"),
    "pawsx": ("PAWSX/translate-train/en-de-translated.tsv", "1", "1"),
}


@pytest.mark.parametrize("name", FILES)
def test_translations_and_labels_are_read(name, tmp_path):
    path, spelled, label = FILES[name]
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(f'A "man".\tHe sits.\tMtu "a".\tAmeketi.\t{spelled}\n')
    language = path.rpartition("en-")[2][:2]
    source = FolderSource(tmp_path)
    found = list(source.examples(REGISTRY[name], "train", language, translated=True))
    assert found == [TextExample('Mtu "a".', "Ameketi.", label)]


def test_a_line_without_its_translation_is_an_error(tmp_path):
    path = tmp_path / FILES["xnli"][0]
    path.parent.mkdir(parents=True)
    path.write_text("A man.\tHe sits.\tneutral\n")
    with pytest.raises(DataError, match=r"en-sw-translated.tsv:1: expected 5 tab-separated columns"):
        list(FolderSource(tmp_path).examples(REGISTRY["xnli"], "train", "sw", translated=True))


def test_a_task_that_xtreme_did_not_translate_says_so(tmp_path):
    with pytest.raises(DataError, match="panx has no translated training data"):
        list(FolderSource(tmp_path).examples(REGISTRY["panx"], "train", "sw", translated=True))
