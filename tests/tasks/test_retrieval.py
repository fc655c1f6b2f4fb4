"""Pools of retrieval: which candidates there are, and which of them each query should find."""

import json

import pytest

from lowres_stilts.data.examples import Passage, Pool, Query
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.retrieval import CANDIDATE_FILE, read_lareqa, read_mewslix, read_mining, read_parallel
from lowres_stilts.tasks.task import Task

TASK = Task("mine", "retrieval", "", ("en", "sw"), "map_at_20")
CONTEXT = "Ann ran. Bob sat."
BREAKS = [[0, 8], [9, 17]]
KISWAHILI = "Asha. Bora."


def asked(number, start):
    return {"id": f"q{number}", "question": f"Who {number}?", "answers": [{"text": "x", "answer_start": start}]}


def squad(context, breaks, *questions):
    paragraph = {"context": context, "sentence_breaks": breaks, "qas": list(questions)}
    return json.dumps({"data": [{"paragraphs": [paragraph]}]})


def lines(*objects):
    return "".join(f"{json.dumps(item)}\n" for item in objects)


def problem(read, path, language="sw"):
    """What is wrong, without the folder."""
    with pytest.raises(DataError) as caught:
        read(path, TASK, language)
    return str(caught.value).removeprefix(f"{path.parent}/")


def test_a_blank_sentence_is_named_with_its_own_file_and_line(write):
    write("Hi\nHo\n", "x.en")
    assert problem(read_parallel, write("Hujambo\n \n", "x.sw")) == "x.sw:2: field 'sentence' is empty"


def test_mined_pairs_are_the_answers_of_their_sentences(write):
    path = write("s1\tmoja\ns2\tmbili\n", "x.sw")
    write("e1\tone\ne2\tfirst\n", "x.en")
    queries, candidates = (
        (Passage("s1", "moja"), Passage("s2", "mbili")),
        (Passage("e1", "one"), Passage("e2", "first")),
    )
    assert read_mining(path, TASK, "sw") == Pool(tuple(Query(query, None) for query in queries), candidates)
    write("s1\te1\ns1\te2\n", "x.gold")
    expected = Pool((Query(queries[0], ("e1", "e2")), Query(queries[1], ())), candidates)
    assert read_mining(path, TASK, "sw") == expected


@pytest.mark.parametrize(
    ("sources", "gold", "message"),
    [
        ("s1\tmoja\n", "s1\te1\ns9\te1\n", "x.gold:2: no sentence has the id s9"),
        ("s1\tmoja\n", "s1\te9\n", "x.gold:1: no sentence has the id e9"),
        ("s1\tmoja\ns1\tmbili\n", "", "x.sw:2: id s1 occurs twice"),
    ],
)
def test_gold_pairs_are_of_sentences_that_are_there_once(sources, gold, message, write):
    write("e1\tone\n", "x.en")
    write(gold, "x.gold")
    assert problem(read_mining, write(sources, "x.sw")) == message


def test_a_question_finds_the_sentence_of_its_answer_in_every_language(write):
    # The second question's answer starts between two sentences, and the question is left out.
    write(squad(CONTEXT, BREAKS, asked(1, 0), asked(2, 8), asked(3, 9)), "en.json")
    path = write(squad(KISWAHILI, [[0, 5], [6, 11]], asked(1, 3), asked(3, 6)), "sw.json")
    write(squad("Anna.", [[0, 5]], asked(1, 0)), "de.json")  # no language of the task
    pool = read_lareqa(path, TASK, "en")
    assert pool == Pool(
        (
            Query(Passage("q1_en", "Who 1?"), ("en_1_0", "sw_1_0")),
            Query(Passage("q3_en", "Who 3?"), ("en_1_1", "sw_1_1")),
        ),
        (
            Passage("en_1_0", "Ann ran.", CONTEXT),
            Passage("en_1_1", "Bob sat.", CONTEXT),
            Passage("sw_1_0", "Asha.", KISWAHILI),
            Passage("sw_1_1", "Bora.", KISWAHILI),
        ),
    )
    assert [query.passage.id for query in read_lareqa(path, TASK, "sw").queries] == ["q1_sw", "q3_sw"]


@pytest.mark.parametrize(
    "breaks", [None, 3, [3], [[0]], [[0, 3, 5]], [[0, 3.0]], [[3, 3]], [[5, 3]], [[-1, 3]], [[0, 18]]]
)
def test_sentences_must_lie_within_their_paragraph(breaks, write):
    wanted = "expected a list 'sentence_breaks' of first and last characters in the context"
    path = write(squad(CONTEXT, breaks, asked(1, 0)), "sw.json")
    assert problem(read_lareqa, path) == f"sw.json:data[0].paragraphs[0]: {wanted}"


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (3, ": expected a list 'qas' of objects, found [3]"),
        ({"id": "q1"}, ".qas[0]: expected 'answers' with an 'answer_start'"),
        ({"id": "q1", "answers": []}, ".qas[0]: expected 'answers' with an 'answer_start'"),
        (asked(1, 0) | {"question": 3}, ".qas[0]: field 'question' must be a text, found 3"),
    ],
)
def test_a_wrong_question_is_named_with_its_place(question, message, write):
    found = problem(read_lareqa, write(squad(CONTEXT, BREAKS, question), "sw.json"))
    assert found == f"sw.json:data[0].paragraphs[0]{message}"


@pytest.fixture
def mentions(write):
    """Writes a file of mentions, the first with these changes, and the entities beside it."""
    write(lines({"entity_id": "Q1", "title": "Ann", "description": "a runner"}), CANDIDATE_FILE)

    def written(span, **context):
        mention = {"example_id": "m1", "entity_id": "Q1", "mention_span": span}
        other = {"context": {"text": "Eve", "language": "en"}, "mentions": []}
        own = {"context": {"text": CONTEXT, "language": "sw"} | context, "mentions": [mention]}
        return write(lines(other, own), "mentions.jsonl")

    return written


SPANS = [{"start": start, "end": end} for start, end in ((0, 9), (9, 17))]


@pytest.mark.parametrize(
    ("start", "end", "spans", "marked"),
    [
        (0, 3, SPANS, "{ Ann } ran. "),
        (4, 7, SPANS, "Ann { ran }. "),
        (9, 12, SPANS, "{ Bob } sat."),
        (13, 17, SPANS, "Bob { sat. }"),
        (0, 3, None, "{ Ann } ran. Bob sat."),
        (0, 3, [], "{ Ann } ran. Bob sat."),
        (9, 12, SPANS[:1], "Ann ran. { Bob } sat."),
        (9, 12, [{"start": 9, "end": 18}], "Ann ran. { Bob } sat."),
        (9, 12, [{"start": "9", "end": 17}], "Ann ran. { Bob } sat."),
        (9, 12, [{"start": 9, "end": "17"}], "Ann ran. { Bob } sat."),
    ],
)
@pytest.mark.parametrize("spelled", [True, False])
def test_a_mention_is_marked_in_its_sentence(start, end, spans, marked, spelled, mentions):
    span = {"start": start, "end": end} | ({"text": CONTEXT[start:end]} if spelled else {})
    assert read_mewslix(mentions(span, sentence_spans=spans), TASK, "sw") == Pool(
        (Query(Passage("m1", marked), ("Q1",)),), (Passage("Q1", "Ann", "a runner"),)
    )


@pytest.mark.parametrize(("start", "end"), [(None, None), (3, 3), (-1, 3), (9, 18), (False, 3), (0, 3.0)])
def test_a_mention_must_be_characters_of_its_text(start, end, mentions):
    span = {"start": start, "end": end}
    assert problem(read_mewslix, mentions(span)) == (
        f"mentions.jsonl:2.mentions[0]: a mention's 'start' and 'end' must be characters of the text, found {span}"
    )


@pytest.mark.parametrize(
    ("span", "context", "message"),
    [
        ({"start": 0, "end": 3, "text": "Bob"}, {}, "2.mentions[0]: mention 'Bob' does not stand at character 0"),
        ([0, 3], {}, "2.mentions[0]: expected an object 'mention_span', found [0, 3]"),
        ({"start": 0, "end": 3}, {"text": ""}, "2: field 'text' is empty"),
        (
            {"start": 0, "end": 3},
            {"sentence_spans": [3]},
            "2: expected a list 'sentence_spans' of objects, found [3]",
        ),
    ],
)
def test_a_wrong_mention_says_what_is_wrong_and_where(span, context, message, mentions):
    assert problem(read_mewslix, mentions(span, **context)) == f"mentions.jsonl:{message}"


def test_a_language_without_mentions_is_an_error(mentions):
    assert problem(read_mewslix, mentions({"start": 0, "end": 3}), "de") == "mentions: no mention in language de"
