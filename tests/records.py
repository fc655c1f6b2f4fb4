"""Pieces of files, sound and unsound, of which hypothesis makes all kinds of input for readers and parsers."""

from hypothesis import strategies as st

BOM = "\ufeff".encode()
NLI = ["premise", "hypothesis", "label"]
FRAGMENTS = [
    b"\t", b"\n", b"\r\n", b"\r", BOM, b"\xff", b"\xc3", b"\x00", b" ", b"a", b"b", b'"', b"{", b"}", b"[",
    b",", b"1",
    b"premise\thypothesis\tlabel", b"x\ty\ta", "\u2028\x85".encode(), b'{"source": "x", "english": "y"}',
    b"x:a\ta",
    b'{"tokens": ["x"], "tags": ["a"]}', b'{"prompt": "x", "choices": ["y", "z"], "label": 1}',
    b"1\tx\t_\tX" + b"\t_" * 6,
]  # fmt: skip
FIELDS = [
    *NLI, "tokens", "tags", "prompt", "choices", "source", "english", "question", "choice1", "choice2", "context",
    "answerA", "answerB", "answerC", "correct", "answerKey", "stem", "text", "answers", "id", "answer_start",
    "qas",
    "sentence_breaks", "mentions", "mention_span", "start", "end", "is_impossible", "gold_label", "ctx", "endings",
    "answer0", "correct_answer_num", "entity_id", "example_id", "language", "sentence_spans",
]  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 5)
    | st.floats()
    | st.sampled_from(["", " ", "a", "A", "-", "cause", "x", "x y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=8,
)
QUESTION = {"id": "x", "question": "y", "context": "x y", "answers": [{"text": "y", "answer_start": 2}]}
SOUND = [
    {"premise": "x", "hypothesis": "y", "label": "a"},
    {"sentence1": "x", "hypothesis": "y", "premise": "x", "gold_label": "-"},
    {"tokens": ["x"], "tags": ["a"]},
    {"source": "x", "english": "y"},
    {"text": "x"},
    {"prompt": "x", "choices": ["y", "z"], "label": 1},
    {"premise": "x", "question": "cause", "choice1": "y", "choice2": "z", "label": 0},
    {"context": "x", "question": "y", "answerA": "1", "answerB": "2", "answerC": "3", "correct": "A"},
    {"ctx": "x", "endings": ["y", "z"], "label": "1"},
    {"context": "x", "question": "y", **{f"answer{number}": "z" for number in range(4)}, "label": "3"},
    {**{f"input_sentence_{n}": "x" for n in range(1, 5)}, "sentence_quiz1": "y", "sentence_quiz2": "z"},
    {
        "flores_passage": "x", "question": "y", **{f"mc_answer{n}": "z" for n in range(1, 5)},
        "correct_answer_num": 1,
    },
    QUESTION,
    QUESTION | {"answers": {"text": ["x"], "answer_start": [0]}},
    {
        "entity_id": "Q1", "title": "x", "description": "y", "context": {"text": "x y", "language": "x"},
        "mentions": [{"example_id": "1", "entity_id": "Q1", "mention_span": {"start": 0, "end": 1, "text": "x"}}],
    },
]  # fmt: skip
CSQA_QUESTIONS = st.fixed_dictionaries(
    {"stem": VALUES, "choices": st.lists(VALUES | st.fixed_dictionaries({"label": VALUES, "text": VALUES}))}
)
CHANGES = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2)
OBJECTS = (
    st.sampled_from(SOUND).flatmap(
        lambda sound: st.dictionaries(st.sampled_from([*sound]), VALUES, max_size=2).map(lambda new: sound | new)
    )
    | st.builds(lambda question, answer: {"question": question, "answerKey": answer}, CSQA_QUESTIONS, VALUES)
    | st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4)
)
PARAGRAPHS = st.builds(
    lambda changes, question, inner: {
        "context": "x y.", "sentence_breaks": [[0, 4]], "qas": [QUESTION | question, *inner], **changes
    },
    CHANGES, CHANGES, st.lists(VALUES, max_size=1),
)  # fmt: skip
