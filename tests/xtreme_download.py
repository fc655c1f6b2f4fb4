"""A miniature of what XTREME's `download_data.sh` leaves, file by file, and of the sets that recipes add to it.

The answers of test files are withheld as `utils_preprocess.py` withholds them: see `lowres_stilts.data.withheld`.
What has answers is drawn at random, so that nothing can be learned from it.
"""

import csv
import io
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lowres_stilts.tasks.catalog import REGISTRY, languages

ROWS = 12
"""Of each file: as many as it takes to tell a sorted side or zeros from an accident."""
WORDS = "nyumba mtu maji siku jua mti chai bahari anga moto".split()
LANGUAGES = ("en", "sw", "ur")
"""Of every task that has them."""
WITHHELD = ("xnli", "pawsx", "panx", "udpos", "xquad", "mlqa", "tydiqa", "bucc2018", "tatoeba", "xcopa", "mewslix")


def write_download(folder: Path) -> Path:
    """Writes all files below a folder, and returns it."""
    download = _Download(folder)
    for write in (_pairs, _tags, _questions, _bitexts, _choices, _mewslix, _lareqa, _english, _others):
        write(download)
    return folder


class _Download:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rng = random.Random(0)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())

    def sentence(self) -> str:
        return " ".join(self.rng.choices(WORDS, k=self.rng.randint(3, 6)))

    def rows(self, make: Callable[[int], Any]) -> list[Any]:
        return [make(number) for number in range(ROWS)]


def _table(rows: Iterable[Iterable[str]]) -> str:
    """Tabs, quotes where a text has some, and Windows line ends: Python's csv, as the script calls it."""
    text = io.StringIO()
    csv.writer(text, delimiter="\t").writerows(rows)
    return text.getvalue()


def _json_lines(rows: Iterable[Any]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def _pairs(download: _Download) -> None:
    """XNLI and PAWS-X, whose test files have no labels."""
    for name, labels in (("xnli", REGISTRY["xnli"].labels), ("pawsx", ("0", "1"))):
        for language in REGISTRY[name].languages:
            for split in ("train", "dev", "test"):
                if split == "train" and language != "en":
                    continue
                rows = download.rows(
                    lambda n, labels=labels: (
                        download.sentence(),
                        f'"{download.sentence()}"',
                        labels[n % len(labels)],
                    )
                )
                kept = [row[:2] for row in rows] if split == "test" else rows
                download.write(f"{name}/{split}-{language}.tsv", _table(kept))
    for language in REGISTRY["xnli"].languages:
        rows = download.rows(lambda n: (*(download.sentence() for _ in range(4)), REGISTRY["xnli"].labels[n % 3]))
        download.write(
            f"XNLI/translate-train/en-{language}-translated.tsv", "".join("\t".join(r) + "\n" for r in rows)
        )


def _tags(download: _Download) -> None:
    """PAN-X and UD-POS, whose test files have tokens alone."""
    for name, tags in (("panx", ("O", "B-PER", "I-PER", "B-LOC")), ("udpos", ("NOUN", "VERB", "X"))):
        for language in REGISTRY[name].languages:
            for split in ("train", "dev", "test"):
                sentences = download.rows(
                    lambda _, tags=tags: [
                        (word, download.rng.choice(tags)) for word in download.sentence().split()
                    ]
                )
                end = 1 if split == "test" else 2
                lines = ("".join("\t".join(pair[:end]) + "\n" for pair in pairs) for pairs in sentences)
                download.write(f"{name}/{split}-{language}.tsv", "\n".join(lines))


def _squad(download: _Download, *, withheld: bool) -> str:
    def paragraph(number: int) -> Any:
        context = download.sentence()
        word = context.split()[1]
        answer = (
            {"text": "", "answer_start": 0} if withheld else {"text": word, "answer_start": context.index(word)}
        )
        question = {"answers": [answer], "question": download.sentence(), "id": f"q{number}"}
        return {"paragraphs": [{"context": context, "qas": [question]}]}

    return json.dumps({"data": download.rows(paragraph), "version": "1.1"})


def _questions(download: _Download) -> None:
    """SQuAD, and XQuAD, MLQA and TyDi QA, whose test files have empty answers."""
    for split in ("train", "dev"):
        download.write(f"squad/{split}-v1.1.json", _squad(download, withheld=False))
        download.write(f"squad_v2/{split}-v2.0.json", _squad(download, withheld=False))
    for language in languages.XQUAD:
        download.write(f"xquad/xquad.{language}.json", _squad(download, withheld=True))
    for language in languages.MLQA:
        for split in ("dev", "test"):
            name = f"mlqa/MLQA_V1/{split}/{split}-context-{language}-question-{language}.json"
            download.write(name, _squad(download, withheld=split == "test"))
    for language in languages.TYDIQA:
        name = f"tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.{language}.train.json"
        download.write(name, _squad(download, withheld=False))
        name = f"tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.{language}.dev.json"
        download.write(name, _squad(download, withheld=True))


def _bitexts(download: _Download) -> None:
    """Tatoeba with its English side sorted, and BUCC, whose test gold is deleted."""
    for language in languages.TATOEBA:
        pairs = [(f"{download.sentence()} {n}", f"{download.sentence()} {n}") for n in range(ROWS)]
        download.write(f"tatoeba/{language}-en.{language}", "".join(f"{own}\n" for own, _ in pairs))
        download.write(f"tatoeba/{language}-en.en", "".join(f"{line}\n" for line in sorted(e for _, e in pairs)))
    for language in languages.BUCC:
        for split in ("dev", "test"):
            for side in (language, "en"):
                lines = download.rows(lambda n, side=side: f"{side}-{n}\t{download.sentence()}\n")
                download.write(f"bucc2018/{language}-en.{split}.{side}", "".join(lines))
        gold = download.rows(lambda n, language=language: f"{language}-{n}\ten-{n}\n")[: ROWS // 2]
        download.write(f"bucc2018/{language}-en.dev.gold", "".join(gold))


def _copa(download: _Download, label: Callable[[int], int]) -> str:
    def row(number: int) -> dict[str, Any]:
        texts = {name: download.sentence() for name in ("premise", "choice1", "choice2")}
        return {**texts, "question": ("cause", "effect")[number % 2], "idx": number, "label": label(number)}

    return _json_lines(download.rows(row))


def _choices(download: _Download) -> None:
    """XCOPA, whose test labels are 0, with COPA as its English; Social IQa."""
    for language in languages.XCOPA:
        for split in ("train", "val", "test"):
            if split != "train" or language == "en":
                label = (lambda _: 0) if split == "test" else (lambda number: number % 3 % 2)
                download.write(f"xcopa/{split}.{language}.jsonl", _copa(download, label))
    for split in ("trn", "dev", "tst"):
        rows = download.rows(
            lambda n: {
                **{name: download.sentence() for name in ("context", "question", "answerA", "answerB", "answerC")},
                "correct": "ABC"[n % 3],
            }
        )
        download.write(f"siqa/socialIQa_v1.4_{split}.jsonl", _json_lines(rows))


def _mewslix(download: _Download) -> None:
    """A file of mentions for each language, in which the test split's entities are empty."""
    entities = [{"entity_id": f"Q{n}", "title": WORDS[n], "description": download.sentence()} for n in range(10)]
    download.write("mewslix/candidate_set_entities.jsonl", _json_lines(entities))
    for split in ("dev", "test"):
        for language in languages.MEWSLIX:
            found = download.rows(lambda n, s=split, code=language: _mention(download, code, f"{s}-{code}-{n}", s))
            download.write(f"mewslix/wikinews_mentions/{split}-{language}.jsonl", _json_lines(found))
            labels = {each["mentions"][0]["example_id"]: [each["mentions"][0]["entity_id"]] for each in found}
            download.write(f"mewslix/wikinews_labels/{split}-{language}.json", json.dumps(labels))


def _mention(download: _Download, language: str, name: str, split: str) -> dict[str, Any]:
    text = download.sentence()
    end = len(text.split()[0])
    entity = "" if split == "test" else f"Q{download.rng.randrange(10)}"
    span = {"start": 0, "end": end, "text": text[:end]}
    return {
        "context": {"text": text, "language": language},
        "mentions": [{"example_id": name, "entity_id": entity, "mention_span": span}],
    }


def _lareqa(download: _Download) -> None:
    """XQuAD-R, which keeps its answers."""
    for language in languages.XQUAD:
        paragraphs = []
        for number in range(ROWS):
            context = f"{download.sentence()}. {download.sentence()}."
            middle = context.index(".") + 1
            answer = {"text": context[middle + 1 :], "answer_start": middle + 1}
            question = {"id": f"q{number}", "question": download.sentence(), "answers": [answer]}
            breaks = [[0, middle], [middle + 1, len(context)]]
            paragraphs.append({"context": context, "sentence_breaks": breaks, "qas": [question]})
        download.write(f"lareqa/xquad-r/{language}.json", json.dumps({"data": [{"paragraphs": paragraphs}]}))


def _english(download: _Download) -> None:
    """The intermediate tasks of the paper, which XTREME does not have."""
    labels = REGISTRY["snli"].labels
    options = [{"label": key, "text": word} for key, word in zip("ABCDE", WORDS, strict=False)]
    rows = download.rows(lambda n: "\t".join((download.sentence(), download.sentence(), labels[n % 3])) + "\n")
    for name in ("snli/{}", "anli/r1-{}", "anli/r2-{}", "anli/r3-{}"):
        for split in ("train", "dev"):
            download.write(f"english/nli/{name.format(split)}.tsv", "".join(rows))
    for split in ("train", "dev"):
        head = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        lines = download.rows(lambda n: f"{n}\t{n}\t{n}\t{download.sentence()}\t{download.sentence()}\t{n % 2}\n")
        download.write(f"english/paraphrase/qqp/{split}.tsv", head + "".join(lines))
        tagged = download.rows(lambda _: "".join(f"{word}\t{word[0]}\n" for word in WORDS[:6]) + "\n")
        download.write(f"english/tagging/ccg/{split}.tsv", "".join(tagged))
        asked = download.rows(
            lambda n: {"question": {"stem": download.sentence(), "choices": options}, "answerKey": "ABCDE"[n % 5]}
        )
        download.write(f"english/mc/commonsenseqa/{split}.jsonl", _json_lines(asked))
    for split in ("train", "val"):
        scenes = download.rows(lambda n: {"ctx": download.sentence(), "endings": WORDS[:4], "label": n % 4})
        download.write(f"english/mc/hellaswag/hellaswag_{split}.jsonl", _json_lines(scenes))
    for split in ("train", "valid"):
        head = "id,context,question,answer0,answer1,answer2,answer3,label\n"
        lines = download.rows(lambda n: f"{n},{download.sentence()},{download.sentence()},a,b,c,d,{n % 4}\n")
        download.write(f"english/mc/cosmosqa/{split}.csv", head + "".join(lines))


def _others(download: _Download) -> None:
    """Plain text, and the test sets that the studies add."""
    for language in (*languages.XNLI, *LANGUAGES):
        download.write(f"mlm/{language}.txt", "".join(download.rows(lambda _: f"{download.sentence()}\n")))
    for language in ("quy", "gn"):
        rows = download.rows(
            lambda n: "\t".join((download.sentence(), download.sentence(), REGISTRY["xnli"].labels[n % 3])) + "\n"
        )
        download.write(f"americasnli/test/{language}.tsv", "".join(rows))
    for name, tags in (("masakhaner", ("O", "B-DATE")), ("masakhapos", ("NOUN", "VERB"))):
        tagged = download.rows(
            lambda n, tags=tags: "".join(f"{word} {tags[n % 2]}\n" for word in WORDS[:4]) + "\n"
        )
        download.write(f"{name}/swa/test.txt", "".join(tagged))
    for language in ("eng_Latn", "swh_Latn"):
        for split in ("train", "dev", "test"):
            topics = REGISTRY["sib200"].labels
            lines = download.rows(lambda n, topics=topics: f"{n}\t{topics[n % 7]}\t{download.sentence()}\n")
            download.write(f"sib200/{language}/{split}.tsv", "index_id\tcategory\ttext\n" + "".join(lines))
    head = ["InputStoryid", *(f"InputSentence{n}" for n in range(1, 5)), "RandomFifthSentenceQuiz1"]
    head += ["RandomFifthSentenceQuiz2", "AnswerRightEnding"]
    for language in ("en", "sw"):
        for split in ("train", "eval"):
            stories = download.rows(
                lambda n: "\t".join([str(n), *(download.sentence() for _ in range(6)), str(n % 2 + 1)]) + "\n"
            )
            name = f"xstorycloze/spring2016.val.{language}.tsv.split_20_80_{split}.tsv"
            download.write(name, "\t".join(head) + "\n" + "".join(stories))
