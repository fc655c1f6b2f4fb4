import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.errors import BundleError, UsageError
from lowres_stilts.runtime import Answer, Bundle, Choice, Label, Tagged
from lowres_stilts.runtime.batches import batches, padded
from lowres_stilts.runtime.manifest import Manifest
from tests.bundles import copied, summed
from tests.downloads import WAYS, older

ROOT = Path(__file__).parent.parent.parent
NO_TORCH = """
import sys

HEAVY = {"torch", "transformers", "peft", "optimum", "onnx", "bitsandbytes", "adapters"}

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Blocked())
from lowres_stilts.runtime import Bundle

bundle = Bundle.load(sys.argv[1], threads=1)
found = bundle.predict(
    ["glad sun", "sad rain", ("quiet", ["tea", "sea", "sun"]), ("good bad", "calm tea")],
    ["first", "first-intermediate-tags", "first-intermediate-choice", "second"],
)
assert bundle.embed(["glad"]).shape == (1, 64)
print([type(item).__name__ for item in found])
print(sorted(HEAVY & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def bundle(zoo):
    return Bundle.load(zoo.bundle, threads=1)


def test_no_torch_is_needed(zoo):
    done = subprocess.run(
        [sys.executable, "-c", NO_TORCH, str(zoo.bundle)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "['Label', 'Tagged', 'Choice', 'Answer']\n[]\n"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_bundle_answers_alike_however_it_was_downloaded(zoo, bundle, way, tmp_path):
    found = Bundle.load(way(zoo.bundle, tmp_path / "made"), threads=1)
    found.network.open_all()
    given = ["glad sun", ("tea", "tea")], ["first", "second-intermediate"]
    assert found.predict(*given) == bundle.predict(*given)
    np.testing.assert_array_equal(found.embed(["glad"]), bundle.embed(["glad"]))


def test_a_bundle_whose_weights_were_written_over_answers_as_before(zoo, bundle, tmp_path):
    """Weights that lie elsewhere than their graph are copied, not borrowed."""
    made = older(zoo.bundle, tmp_path / "made")
    found = Bundle.load(made, threads=1)
    (made / "weights.bin").resolve().write_bytes(bytes((made / "weights.bin").stat().st_size))
    np.testing.assert_array_equal(found.embed(["glad"], "first"), bundle.embed(["glad"], "first"))


def test_answers_have_the_form_of_their_family(bundle):
    label, tagged, choice, answer = bundle.predict(
        ["glad sun", ["sad", "rain"], ("quiet", ["tea", "sea"]), ("good", "calm tea")],
        ["first", "first-intermediate-tags", "first-intermediate-choice", "second"],
    )
    assert isinstance(label, Label)
    assert set(label.scores) == {"glad", "sad", "calm"}
    assert label.score == max(label.scores.values()) == label.scores[label.label]
    assert sum(label.scores.values()) == pytest.approx(1)
    assert isinstance(tagged, Tagged)
    assert (tagged.words, len(tagged.tags)) == (("sad", "rain"), 2)
    assert isinstance(choice, Choice)
    assert choice.scores[choice.index] == max(choice.scores)
    assert isinstance(answer, Answer)
    assert "calm tea"[answer.start : answer.end] == answer.text


def test_a_sentence_may_come_as_text_or_as_words(bundle):
    text, words = bundle.predict(["sad rain sun", ["sad", "rain", "sun"]], "first-intermediate-tags")
    assert text == words


def test_tagged_words_and_entities_are_where_the_text_has_them(bundle):
    given = "sad  rain,\n(sun) 東京 <s>glad's"
    (tagged,) = bundle.predict([given], "first-intermediate-tags")
    assert tagged.words == ("sad", "rain", ",", "(", "sun", ")", "東", "京", "<s>", "glad", "'s")
    assert tagged.words == tuple(given[start:end] for start, end in tagged.offsets)
    assert len(tagged.words) == len(tagged.tags) == len(tagged.scores)
    assert tagged.entities
    assert all(given[own.start : own.end] == own.text for own in tagged.entities)
    assert {own.label for own in tagged.entities} == {
        tag.removeprefix("B-").removeprefix("I-") for tag in tagged.tags
    }


def test_offsets_of_given_words_count_a_space_between_them(bundle):
    words = ["sad", "<s>", "New York,", "sun"]
    (tagged,) = bundle.predict([words], "first-intermediate-tags")
    assert tagged.words == tuple(words)
    assert [" ".join(words)[start:end] for start, end in tagged.offsets] == words


def test_white_space_has_no_words(bundle):
    blank, full, nothing = bundle.predict([" \n", "sad", "\u200b"], "first-intermediate-tags")
    assert blank == nothing == Tagged((), (), ())
    assert full.words == ("sad",)


def test_pairs_are_for_adapters_of_pairs(bundle):
    assert [bundle.adapter(name).texts for name in ("first", "second-intermediate", "second")] == [1, 2, None]
    with pytest.raises(UsageError, match="adapter first takes one text, found a pair: write each text by itself"):
        bundle.predict(["glad", ("glad", "sad")], "first")
    with pytest.raises(
        UsageError, match=r'-intermediate takes a pair of texts, found one text: write both, \["text", "'
    ):
        bundle.predict([("glad", "sad"), "glad"], "second-intermediate")
    with pytest.raises(UsageError, match="expected a text, found 3"):
        bundle.predict([3], "first")


def test_bundles_that_do_not_say_take_either(zoo, tmp_path):
    folder = copied(zoo.bundle, tmp_path / "old")
    manifest = json.loads((folder / "bundle.json").read_text())
    for part in manifest["adapters"]:
        del part["texts"]
    (folder / "bundle.json").write_text(json.dumps(manifest))
    old = Bundle.load(summed(folder), threads=1)
    found = old.predict(["glad", ("glad", "sad"), ("glad", "sad")], ["first", "first", "second-intermediate"])
    assert all(isinstance(own, Label) for own in found)


@pytest.mark.parametrize(
    ("adapter", "given"),
    [
        ("first", 3),
        ("first", ("a", "b", "c")),
        ("first", None),
        ("first", "\ud800"),
        ("first", "b\udfff"),
        ("second-intermediate", ("a", 1)),
        ("second-intermediate", ("a", "b\udfff")),
        ("first-intermediate-choice", "a"),
        ("first-intermediate-choice", ("a", [])),
        ("first-intermediate-choice", ("a", "b")),
        ("first-intermediate-choice", ("a", ["b", 1])),
        ("first-intermediate-choice", ("a", ["b", "\ud800"])),
        ("first-intermediate-tags", ""),
        ("first-intermediate-tags", []),
        ("first-intermediate-tags", ["a", ""]),
        ("first-intermediate-tags", ["a", 1]),
        ("second", "question"),
        ("second", ("question", None)),
    ],
)
def test_inputs_of_another_form_are_named(bundle, adapter, given):
    with pytest.raises(UsageError, match=r"expected|surrogate"):
        bundle.predict([given], adapter)


def test_wrong_use_is_named(bundle):
    with pytest.raises(UsageError, match="adapter 'third' is not loaded; there are first-intermediate-choice,"):
        bundle.predict(["a"], "third")
    with pytest.raises(UsageError, match="1 adapters for 2 inputs"):
        bundle.predict(["a", "b"], ["first"])
    with pytest.raises(UsageError, match="expected a list of inputs, found one text"):
        bundle.predict("a text", "first")
    with pytest.raises(UsageError, match="expected a list of inputs, found one text"):
        bundle.embed("a text")
    with pytest.raises(UsageError, match="texts only"):
        bundle.embed([("a", "b")])
    with pytest.raises(UsageError, match="surrogate"):
        bundle.embed(["\ud800"])
    with pytest.raises(UsageError, match="not loaded"):
        bundle.embed(["a"], "third")
    with pytest.raises(UsageError, match="not loaded"):
        bundle.remove_adapter("third")


def test_a_provider_that_is_not_here(zoo):
    with pytest.raises(BundleError, match="onnxruntime has no CUDAExecutionProvider here; it has"):
        Bundle.load(zoo.bundle, providers=["CUDAExecutionProvider"])


def test_adapters_come_and_go_while_others_answer(zoo):
    bundle = Bundle.load(zoo.bundle, threads=1)
    texts, pair = ["glad sun", "sad rain", "calm tea"], ("tea", "tea")
    expected, mixed = (
        bundle.predict(texts, "first"),
        bundle.predict([*texts, pair], [*["first"] * 3, "second-intermediate"]),
    )
    guest = bundle.adapter("first").model_copy(update={"name": "guest"})
    path = zoo.bundle / guest.file.replace("guest", "first")
    problems, ended = [], threading.Event()

    def ask():
        while not ended.is_set():
            found = bundle.predict(texts, "first")
            both = bundle.predict([*texts, pair], [*["first"] * 3, "second-intermediate"])
            if found != expected or [label_of(x) for x in both] != [label_of(x) for x in mixed]:
                problems.append((found, both))
            try:
                if bundle.predict(texts, "guest") != expected:
                    problems.append("guest")
            except UsageError:
                pass  # it is away

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        bundle.add_adapter(path, guest)
        bundle.add_adapter(path, bundle.adapter("first"))
        bundle.remove_adapter("guest")
    ended.set()
    for thread in threads:
        thread.join()
    assert not problems
    assert "guest" not in bundle.adapters


def label_of(found):
    return found.label, round(found.score, 4)


def test_adapters_added_at_the_same_time_are_all_there(zoo):
    bundle = Bundle.load(zoo.bundle, threads=1)
    part = bundle.adapter("first")
    path = zoo.bundle / part.file
    parts = [part.model_copy(update={"name": f"guest-{number}"}) for number in range(24)]
    threads = [threading.Thread(target=bundle.add_adapter, args=(path, guest)) for guest in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {guest.name for guest in parts} < set(bundle.adapters)


def test_the_manifest_says_what_was_compared(zoo):
    manifest = Manifest.model_validate(json.loads((zoo.bundle / "bundle.json").read_text()))
    parity = manifest.parity["float32"]
    assert parity["states"] < 1e-4
    assert set(parity["scores"]) == {*zoo.packages, "mixed"}
    assert max(parity["scores"].values()) < 1e-4
    assert len(parity["batches"]) > 2
    assert {part.name: part.task for part in manifest.adapters} == zoo.tasks
    assert [part.name for part in manifest.adapters if part.no_answer] == ["first-intermediate-squad_v2"]


@given(st.lists(st.integers(1, 300), max_size=40), st.integers(1, 500))
def test_batches_hold_every_sequence_once_within_the_budget(lengths, tokens):
    found = list(batches(lengths, tokens))
    assert sorted(row for batch in found for row in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= tokens


def test_padding_is_masked():
    ids, mask = padded([[5, 6, 7], [8]], 1)
    np.testing.assert_array_equal(ids, [[5, 6, 7], [8, 1, 1]])
    np.testing.assert_array_equal(mask, [[1, 1, 1], [1, 0, 0]])


def test_entities_stand_at_characters_of_the_given_text(bundle):
    text = "(sad  rain), sun"
    (found,) = bundle.predict([text], "first-intermediate-tags")
    assert found.words == ("(", "sad", "rain", ")", ",", "sun")
    assert [text[start:end] for start, end in found.offsets] == list(found.words)
    assert found.grouped(())[0].start == 0
    assert all(text[entity.start : entity.end] == entity.text for entity in found.grouped(()))
    (listed,) = bundle.predict([["sad", "rain"]], "first-intermediate-tags")
    assert (listed.text, listed.offsets) == ("sad rain", ((0, 3), (4, 8)))


@pytest.mark.parametrize(
    ("given", "adapter", "wanted"),
    [
        (("a", "b"), "first", "adapter first takes one text, found a pair"),
        ("a", "second-intermediate", "adapter second-intermediate takes a pair of texts, found one text"),
    ],
)
def test_an_adapter_takes_as_many_texts_as_it_was_trained_on(given, adapter, wanted, bundle):
    with pytest.raises(UsageError, match=wanted):
        bundle.predict([given], adapter)


def test_a_bundle_that_does_not_say_how_many_texts_takes_either(zoo, tmp_path):
    folder = copied(zoo.bundle, tmp_path / "bundle")
    manifest = json.loads((folder / "bundle.json").read_text())
    assert {part["name"]: part.pop("texts") for part in manifest["adapters"]}["second-intermediate"] == 2
    (folder / "bundle.json").write_text(json.dumps(manifest))
    older = Bundle.load(summed(folder))
    assert all(isinstance(found, Label) for found in older.predict(["a", ("a", "b")], "first"))
