"""Exports of annotation tools, as the tools write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.examples import TaggedSentence
from lowres_stilts.errors import DataError
from lowres_stilts.recipe.data import CustomTask
from lowres_stilts.tasks.load import custom_task
from lowres_stilts.text.words import words_in

TEXT = "Barack Obama alizaliwa Honolulu."
WORDS = ("Barack", "Obama", "alizaliwa", "Honolulu", ".")
TAGS = ("B-PER", "I-PER", "O", "B-LOC", "O")
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
SPANS = [{"start": 0, "end": 12, "labels": ["PER"]}, {"start": 23, "end": 31, "labels": ["LOC"]}]


def result(kind, value, name="ner"):
    return {"type": kind, "from_name": name, "to_name": "text", "value": value}


def studio(*results, **more):
    return {
        "id": 1,
        "data": {"text": TEXT},
        "annotations": [{"id": 2, "was_cancelled": False, "result": list(results)}],
        **more,
    }


DOCCANO = {"id": 1, "text": TEXT, "label": [[0, 12, "PER"], [23, 31, "LOC"]], "Comments": []}
ENTITIES = [
    {"id": 7, "label": "LOC", "start_offset": 23, "end_offset": 31},
    {"id": 5, "label": "PER", "start_offset": 0, "end_offset": 12},
]
STUDIO = studio(*(result("labels", {**span, "text": TEXT[span["start"] : span["end"]]}) for span in SPANS))
CANCELLED = {"was_cancelled": True, "result": [result("labels", {"start": 0, "end": 6, "labels": ["LOC"]})]}
CONLL = "-DOCSTART- -X- O\n" + "".join(f"{word} -X- _ {tag}\n" for word, tag in zip(WORDS, TAGS, strict=True))
WEBANNO = """#FORMAT=WebAnno TSV 3.3
#T_SP=de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Heading|level
#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value


#Text=Barack Obama alizaliwa Honolulu.
1-1\t0-6\tBarack\t_\t*[1]\tPER[1]\t
1-2\t7-12\tObama\t_\t*[1]\tPER[1]\t
1-3\t13-22\talizaliwa\t_\t_\t_\t
1-4\t23-31\tHonolulu\t_\t*\tLOC\t
1-5\t31-32\t.\t_\t_\t_\t
"""


def tagged(path, **settings):
    return list(
        custom_task("own", CustomTask(family="tagging", languages=["sw"], labels=LABELS, **settings)).read(path)
    )


def labels(path, **settings):
    task = custom_task(
        "own", CustomTask(family="classification", languages=["sw"], labels=["good", "bad"], **settings)
    )
    return [example.label for example in task.read(path)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("doccano.jsonl", json.dumps(DOCCANO) + "\n"),
        ("doccano.jsonl", json.dumps({"id": 1, "text": TEXT, "entities": ENTITIES, "relations": []}) + "\n"),
        ("studio.json", json.dumps([STUDIO])),
        ("studio.json", json.dumps([{**STUDIO, "annotations": [CANCELLED, *STUDIO["annotations"]]}], indent=1)),
        ("min.json", json.dumps([{"id": 1, "text": TEXT, "label": SPANS, "annotator": 1}])),
        ("studio.conll", CONLL),
        ("inception.tsv", WEBANNO),
        ("plain.json", json.dumps([{"tokens": WORDS, "tags": TAGS}])),
    ],
)
def test_spans_are_tags_on_words(name, content, write):
    assert tagged(write(content, name)) == [TaggedSentence(WORDS, TAGS)]


def test_a_text_that_nobody_annotated_has_no_tags_and_one_without_entities_has(write):
    for record in ({"text": TEXT}, {**STUDIO, "annotations": []}, {**STUDIO, "annotations": [CANCELLED]}):
        assert tagged(write(json.dumps([record]), "x.json")) == [TaggedSentence(WORDS, None)]
    for record in ({"text": TEXT, "label": []}, studio()):
        assert tagged(write(json.dumps([record]), "x.json")) == [TaggedSentence(WORDS, ("O",) * 5)]


def test_own_names_of_the_text_and_of_the_labels(write):
    path = write(json.dumps([{"body": TEXT, "ner": SPANS}]), "min.json")
    assert tagged(path, columns={"text": "body", "label": "ner"}) == [TaggedSentence(WORDS, TAGS)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("doccano.jsonl", '{"id": 1, "text": "x", "label": ["good"]}\n{"id": 2, "text": "y", "label": ["bad"]}\n'),
        (
            "studio.json",
            json.dumps([studio(result("choices", {"choices": [name]}, "mood")) for name in ("good", "bad")]),
        ),
        ("min.json", '[{"text": "x", "label": "good"}, {"text": "y", "label": "bad"}]'),
    ],
)
def test_chosen_labels_are_read(name, content, write):
    assert labels(write(content, name)) == ["good", "bad"]


def test_label_names_of_the_tool_map_to_labels(write):
    path = write('[{"text": "x", "mood": "Positive"}, {"text": "y", "mood": "bad"}]', "min.json")
    assert labels(path, columns={"label": "mood"}, label_names={"Positive": "good"}) == ["good", "bad"]


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ([[0, 9, "PER"]], "span 'Barack Ob' (PER) at character 0 cuts a word"),
        ([[0, 12, "PER"], [7, 12, "LOC"]], "span 'Obama' (LOC) at character 7 overlaps another"),
        ([[0, 99, "PER"]], "span 0 to 99 (PER) is not within the 32 characters of the text"),
        ([[0, "PER"]], "expected a span with its first and last character and one label"),
        ([{"start": 0, "end": 6, "labels": ["PER", "LOC"]}], "expected a span"),
        ("PER", "expected a list of spans, found 'PER'"),
    ],
)
def test_a_span_that_fits_no_words_is_named(label, problem, write):
    path = write(json.dumps({"text": TEXT, "label": label}), "x.jsonl")
    with pytest.raises(DataError) as caught:
        tagged(path)
    assert str(caught.value).startswith(f"{path}:1: {problem}")


def test_white_space_at_the_ends_of_a_span_counts_for_nothing(write):
    path = write(json.dumps({"text": TEXT, "label": [[0, 13, "PER"], [22, 31, "LOC"]]}), "x.jsonl")
    assert tagged(path) == [TaggedSentence(WORDS, TAGS)]


def test_several_labels_of_a_text_are_refused(write):
    path = write('{"text": "x", "label": ["good", "bad"]}', "x.jsonl")
    with pytest.raises(DataError, match=r"x\.jsonl:1: expected one label, found 2"):
        labels(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("PER[1]\t\n1-2", "PER[1]|LOC[2]\t\n1-2"), ":7: token 'Barack' has two labels"),
        (("1-2\t", "1-2.1\t"), ":8: a part of a token is annotated, 'Obama'"),
        (("\t_\t_\t_\t\n1-4", "\n1-4"), ":9: expected a token and its layers"),
        (("#T_SP", "#T_XX"), ":7: the file names no layer of spans"),
    ],
)
def test_webanno_that_has_no_tags_for_words_is_refused(change, problem, write):
    path = write(WEBANNO.replace(*change), "x.tsv")
    with pytest.raises(DataError) as caught:
        tagged(path)
    assert str(caught.value).startswith(f"{path}{problem}")


def test_neighbouring_spans_of_webanno_stay_apart(write):
    rows = "1-1\t0-1\ta\tPER[1]\t\n1-2\t2-3\tb\tPER[2]\t\n1-3\t4-5\tc\tPER\t\n1-4\t6-7\td\tPER\t\n"
    path = write(f"#FORMAT=WebAnno TSV 3.2\n#T_SP=webanno.custom.NE|value\n\n\n#Text=a b c d\n{rows}", "x.tsv")
    assert tagged(path) == [TaggedSentence(("a", "b", "c", "d"), ("B-PER",) * 4)]


def test_a_label_of_the_task_without_prefix_is_the_words_tag(write):
    settings = {"family": "tagging", "languages": ["sw"], "labels": ["NOUN", "VERB", "O"]}
    task = custom_task("own", CustomTask(**settings))
    spans = [[0, 12, "NOUN"], [13, 22, "VERB"], [23, 31, "NOUN"]]
    path = write(json.dumps({"text": TEXT, "label": spans}), "x.jsonl")
    assert list(task.read(path)) == [TaggedSentence(WORDS, ("NOUN", "NOUN", "VERB", "NOUN", "O"))]


def test_a_name_of_entities_stands_for_both_of_their_tags(write):
    path = write(json.dumps({"text": TEXT, "label": [[0, 12, "Person"], [23, 31, "LOC"]]}), "x.jsonl")
    assert tagged(path, label_names={"Person": "PER"}) == [TaggedSentence(WORDS, TAGS)]


def test_labels_of_several_kinds_are_chosen_by_name(write):
    task = studio(*(result("labels", span) for span in SPANS), result("choices", {"choices": ["good"]}, "mood"))
    path = write(json.dumps([task]), "studio.json")
    assert tagged(path, columns={"label": "ner"}) == tagged(path, columns={"tags": "ner"})
    assert tagged(path, columns={"label": "ner"}) == [TaggedSentence(WORDS, TAGS)]
    assert labels(path, columns={"label": "mood"}) == ["good"]
    with pytest.raises(DataError) as caught:
        tagged(path)
    assert str(caught.value).startswith(f"{path}:[0]: labels of several kinds, ner, mood; say which under columns")
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    assert tagged(write(json.dumps([studio(relation)]), "studio.json")) == [TaggedSentence(WORDS, ("O",) * 5)]


def test_spans_that_count_an_emoji_as_two_are_found_by_their_text(write):
    span = {"start": 3, "end": 15, "text": "Barack Obama", "labels": ["PER"]}
    path = write(json.dumps({"text": "😀 Barack Obama", "label": [span]}), "x.jsonl")
    assert tagged(path) == [TaggedSentence(("😀", "Barack", "Obama"), ("O", "B-PER", "I-PER"))]
    path = write(json.dumps({"text": TEXT, "label": [{**span, "text": "Michelle"}]}), "x.jsonl")
    with pytest.raises(DataError, match=r"span 3 to 15 \(PER\) is 'ack Obama al', but should be 'Michelle'"):
        tagged(path)


def test_spans_under_another_name_are_never_left_out(write):
    path = write(json.dumps({"text": TEXT, "ner": SPANS}), "x.jsonl")
    with pytest.raises(DataError, match=r"no field 'label', but 'ner' has spans; set columns: \{label: ner\}"):
        tagged(path)


SENTENCES = """#FORMAT=WebAnno TSV 3.3
#T_SP=webanno.custom.Mood|value
#T_SP=webanno.custom.Topic|value


#Text=It is good
1-1\t0-2\tIt\tgood[1]\tfood[2]\t
1-2\t3-5\tis\tgood[1]\tfood[2]\t
1-3\t6-10\tgood\tgood[1]\t_\t

#Text=Awful
2-1\t11-16\tAwful\tbad\tfood\t
"""


def test_sentences_with_one_label_on_all_tokens_are_labelled_texts(write):
    path = write(SENTENCES, "x.tsv")
    assert labels(path, columns={"label": "Mood"}) == ["good", "bad"]
    task = custom_task("own", CustomTask(family="classification", languages=["sw"], labels=["good", "bad"]))
    with pytest.raises(DataError) as caught:
        list(task.read(path))
    assert str(caught.value) == (
        f"{path}:7: expected one layer of labels, found webanno.custom.Mood, webanno.custom.Topic; "
        "say which under columns, such as {label: Mood}"
    )
    with pytest.raises(
        DataError, match=r":7: expected one label for all tokens of the sentence, found food, none"
    ):
        labels(path, columns={"label": "Topic"})


@given(parts=st.lists(st.sampled_from(["Obama", "東京", "(a)", "x.y", "…", "na"]), min_size=1), data=st.data())
def test_spans_of_whole_words_come_back(parts, data, tmp_path_factory):
    text = " ".join(parts)
    words = words_in(text)
    edges = sorted(data.draw(st.sets(st.integers(0, len(words)), max_size=6)))
    chosen = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    label = [[words[a][0], words[b - 1][1], "PER"] for a, b in chosen]
    path = tmp_path_factory.getbasetemp() / "spans.jsonl"
    path.write_text(json.dumps({"text": text, "label": label}))
    (found,) = tagged(path)
    assert found.words == tuple(text[a:b] for a, b in words)
    begins = [index for index, tag in enumerate(found.tags) if tag == "B-PER"]
    assert begins == [a for a, _ in chosen]
    assert sum(tag != "O" for tag in found.tags) == sum(b - a for a, b in chosen)
