"""One or two records of every task, as its official release spells them, and their right answers."""

import json
from typing import Any

CSQA = {
    "id": "1",
    "question": {"stem": "Where?", "choices": [{"label": "A", "text": "here"}, {"label": "B", "text": "there"}]},
    "answerKey": "B",
}
SIQA = {"context": "A ran.", "question": "Why?", "answerA": "x", "answerB": "y", "answerC": "z", "correct": "C"}
COPA = {"premise": "It rained.", "choice1": "Wet.", "choice2": "Dry.", "question": "effect", "label": 0}
REPLY = {"prompt": "hi", "choices": ["a", "b", "c", "d"], "label": 3}
HELLASWAG = {"ind": 1, "ctx": "A man", "endings": ["ran.", "sat.", "cried."], "label": 1}
BELEBELE = {
    "flores_passage": "A cat sat.", "question": "Who sat?", "correct_answer_num": "2",
    "mc_answer1": "A dog", "mc_answer2": "A cat", "mc_answer3": "The sun", "mc_answer4": "Nobody",
}  # fmt: skip
QUESTION = {"id": "7", "question": "who sat?", "answers": [{"text": "the cat", "answer_start": 0}]}
NONE = {"id": "8", "question": "who ran?", "answers": [], "is_impossible": True}
NLI = "A man.\tA cat.\tcontradiction\nA man.\tA boy.\tneutral\n"
NLI_GOLD = ["contradiction", "neutral"]
POS = "Wa\tPRON\nkimbia\tVERB\n\n"
ENTITIES = "Juma\tB-PER\nKaanan\tI-PER\n\nNairobi\tB-LOC\n\n"
ENTITIES_GOLD = [("B-PER", "I-PER"), ("B-LOC",)]
STORY = [
    "InputStoryid", *(f"InputSentence{n}" for n in range(1, 5)), "RandomFifthSentenceQuiz1",
    "RandomFifthSentenceQuiz2", "AnswerRightEnding",
]  # fmt: skip


def squad(*questions: dict[str, Any]) -> str:
    return json.dumps({"data": [{"paragraphs": [{"context": "the cat sat", "qas": questions}]}]})


OFFICIAL = {
    "xnli": NLI,
    "mnli": NLI,
    "snli": NLI,
    "anli": NLI,
    "americasnli": NLI,
    "pawsx": 'A "b" c .\tC b a .\t1\n',
    "pawsx-en": 'A "b" c .\tC b a .\t1\n',
    "qqp": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tWho?\tWho is it?\t1\n",
    "mrpc": 'Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\tHe said "no.\tShe did.\n',
    "rte": "index\tsentence1\tsentence2\tlabel\n0\tA ran.\tB ran.\tnot_entailment\n",
    "sick": (
        "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
        "1\tA ran.\tB ran.\t3.3\tNEUTRAL\n"
    ),
    "sib200": "index_id\tcategory\ttext\n5\ttravel\tA boat sat.\n",
    "panx": ENTITIES,
    "masakhaner": ENTITIES,
    "udpos": POS,
    "masakhapos": POS,
    "ud-en": POS,
    "ccg": "the\tNP/N\ncat\tN\n\n",
    "xquad": squad(QUESTION),
    "mlqa": squad(QUESTION),
    "tydiqa": squad(QUESTION),
    "squad": squad(QUESTION),
    "squad_v2": squad(QUESTION, NONE),
    "xcopa": json.dumps(COPA) + "\n",
    "copa": json.dumps(COPA) + "\n",
    "csqa": json.dumps(CSQA) + "\n",
    "socialiqa": json.dumps(SIQA) + "\n",
    "hellaswag": json.dumps(HELLASWAG) + "\n",
    "cosmosqa": (
        "id,context,question,answer0,answer1,answer2,answer3,label\n"
        '1,"A cat,\nthen a dog",Who?,a,b,c,"d ""e""",3\n'
    ),
    "xstorycloze": "\t".join(STORY) + "\n1\tA.\tB.\tC.\tD.\tE.\tF.\t2\n",
    "belebele": json.dumps(BELEBELE) + "\n",
    "starter-reply": json.dumps(REPLY) + "\n",
    "starter-topic": "do you eat I eat electricity\tfood\n",
}
GOLD: dict[str, list[Any]] = {
    **dict.fromkeys(("xnli", "mnli", "snli", "anli", "americasnli"), NLI_GOLD),
    **dict.fromkeys(("panx", "masakhaner"), ENTITIES_GOLD),
    **{key: [("PRON", "VERB")] for key in ("udpos", "masakhapos", "ud-en")},
    **{key: [("the cat",)] for key in ("xquad", "mlqa", "tydiqa", "squad")},
    "squad_v2": [("the cat",), ()],
    "ccg": [("NP/N", "N")],
    "pawsx": ["1"],
    "pawsx-en": ["1"],
    "qqp": ["1"],
    "mrpc": ["0"],
    "rte": ["not_entailment"],
    "sick": ["neutral"],
    "sib200": ["travel"],
    "xcopa": [0],
    "copa": [0],
    "csqa": [1],
    "socialiqa": [2],
    "hellaswag": [1],
    "cosmosqa": [3],
    "xstorycloze": [1],
    "belebele": [1],
    "starter-reply": [3],
    "starter-topic": ["food"],
}
LAREQA = {
    "context": "the cat sat. It ran.", "sentence_breaks": [[0, 12], [13, 20]],
    "qas": [{"id": "q", "question": "who?", "answers": [{"text": "It", "answer_start": 13}]}],
}  # fmt: skip
MENTION = {
    "context": {"text": "A cat sat in Nairobi.", "language": "tr"},
    "mentions": [
        {"example_id": "m", "entity_id": "Q3870", "mention_span": {"start": 13, "end": 20, "text": "Nairobi"}}
    ],
}
POOLS = {
    "tatoeba": {"sw-en.sw": "Habari\n", "sw-en.en": "Hello\n"},
    "starter-parallel": {"it-en.it": "ciao\n", "it-en.en": "Hello\n"},
    "bucc2018": {
        "de-en.{split}.de": "de-1\tHallo\nde-2\tKatze\n",
        "de-en.{split}.en": "en-1\tcat\nen-2\tsea\n",
        "de-en.{split}.gold": "de-2\ten-1\n",
    },
    "lareqa": {
        "{lang}.json": json.dumps({"data": [{"paragraphs": [LAREQA]}]}),
        "ar.json": json.dumps({"data": [{"paragraphs": [LAREQA]}]}),
    },
    "mewslix": {
        "wikinews_mentions-{split}.jsonl": json.dumps(MENTION) + "\n",
        "candidate_set_entities.jsonl": json.dumps(
            {"entity_id": "Q3870", "title": "Nairobi", "description": "capital of Kenya"}
        ),
    },
}
"""Files beside one another, for a language."""
ANSWERS = {
    "tatoeba": ("sw", [("Habari", ("0",))]),
    "starter-parallel": ("it", [("ciao", ("0",))]),
    "bucc2018": ("de", [("Hallo", ()), ("Katze", ("en-1",))]),
    "lareqa": ("zh", [("who?", ("ar_1_1", "zh_1_1"))]),
    "mewslix": ("tr", [("A cat sat in { Nairobi }.", ("Q3870",))]),
}
