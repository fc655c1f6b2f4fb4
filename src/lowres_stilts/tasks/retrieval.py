"""Retrieval: queries that search candidates by the similarity of embeddings."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lowres_stilts.data.examples import Passage, Pool, Query
from lowres_stilts.data.formats import is_json
from lowres_stilts.data.own_tables import Layout, read_own
from lowres_stilts.data.readers import Record, read_jsonl, read_lines, read_tsv, shown
from lowres_stilts.data.squad import read_squad_paragraphs
from lowres_stilts.data.withheld import is_sorted
from lowres_stilts.errors import DataError
from lowres_stilts.tasks.task import Task

ONE_TABLE = Layout()


def read_parallel(path: Path, task: Task, language: str, layout: Layout = ONE_TABLE) -> Pool:
    """Sentences and their translations from two parallel files, `X.sw` with `X.en` beside it.

    One `.tsv`, `.csv` or JSON file with `source` and `english` will do too. Ids are line numbers from 0. Where
    XTREME's script has sorted the English side of a published set, nothing is known of the answers.

    Raises:
        DataError: the files differ in length, or a sentence is empty.
    """
    pairs = list(_pairs(path, layout))
    withheld = bool(task.answers_at) and is_sorted([english for _, english in pairs])
    queries = (
        Query(Passage(str(line), source), None if withheld else (str(line),))
        for line, (source, _) in enumerate(pairs)
    )
    return Pool(tuple(queries), tuple(Passage(str(line), english) for line, (_, english) in enumerate(pairs)))


def _pairs(path: Path, layout: Layout) -> Iterator[tuple[str, str]]:
    if is_json(path) or path.suffix.lower() in {".tsv", ".csv"}:
        for record in read_own(path, ["source", "english"], layout, label=None):
            yield record.text("source"), record.text("english")
        return
    english_path = path.with_suffix(".en")
    sources, english = _without_last_blanks(list(read_lines(path)), list(read_lines(english_path)))
    if len(sources) != len(english):
        raise DataError(f"{path}: has {len(sources)} lines, but {english_path.name} has {len(english)}")
    for (line, source), (_, translation) in zip(sources, english, strict=True):
        yield (
            Record(path, line, {"sentence": source}).text("sentence"),
            Record(english_path, line, {"sentence": translation}).text("sentence"),
        )


def _without_last_blanks(*files: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """The lines of parallel files, up to the last that is not blank in all of them."""
    count = max((number for lines in files for number, line in lines if line.strip()), default=0)
    return [lines[:count] for lines in files]


def read_mining(path: Path, task: Task, language: str) -> Pool:
    """BUCC's `zh-en.dev.zh` with `.en` and `.gold` beside it: sentences with ids, and which are translations.

    A test set may lack its gold file; then nothing is known of the answers.

    Raises:
        DataError: a line is no id and sentence, an id occurs twice, or a gold pair names an unknown sentence.
    """
    sources, english = (_identified(file) for file in (path, path.with_suffix(".en")))
    gold_path = path.with_suffix(".gold")
    if not gold_path.exists():
        return Pool(tuple(Query(passage, None) for passage in sources.values()), tuple(english.values()))
    gold: dict[str, list[str]] = {}
    for record in read_tsv(gold_path, ["source", "english"]):
        source, target = record.text("source"), record.text("english")
        if source not in sources or target not in english:
            raise record.error(f"no sentence has the id {source if source not in sources else target}")
        gold.setdefault(source, []).append(target)
    queries = (Query(passage, tuple(gold.get(passage.id, ()))) for passage in sources.values())
    return Pool(tuple(queries), tuple(english.values()))


def _identified(path: Path) -> dict[str, Passage]:
    passages: dict[str, Passage] = {}
    for record in read_tsv(path, ["id", "sentence"]):
        passage = Passage(record.text("id"), record.text("sentence"))
        if passage.id in passages:
            raise record.error(f"id {passage.id} occurs twice")
        passages[passage.id] = passage
    return passages


def read_lareqa(path: Path, task: Task, language: str) -> Pool:
    """LAReQA's XQuAD-R: questions of one language, and the sentences of all languages' files in the same folder.

    A candidate is a sentence with its paragraph. A question's answers are, in every language, the sentence in
    which the answer to the question of that id starts. Source: Roy et al. 2020, arXiv:2004.05484.

    Raises:
        DataError: a file has not this shape.
    """
    own: dict[str, str] = {}
    candidates: list[Passage] = []
    answers: dict[str, list[str]] = {}
    for file in sorted(f for f in path.parent.glob("*.json") if f.stem in task.languages):
        prefix = file.stem
        for number, paragraph in enumerate(read_squad_paragraphs(file), start=1):
            context = paragraph.text("context")
            breaks = _breaks(paragraph, len(context))
            for position, (start, end) in enumerate(breaks):
                candidates.append(Passage(f"{prefix}_{number}_{position}", context[start:end], context))
            for record in _objects(paragraph, "qas"):
                question, start = record.text("id"), _answer_start(record)
                found = next((i for i, (a, b) in enumerate(breaks) if a <= start < b), None)
                if found is None:
                    continue  # as the official script does
                answers.setdefault(question, []).append(f"{prefix}_{number}_{found}")
                if prefix == language:
                    if question in own:
                        raise record.error(f"id {question!r} is also that of another question; give each its own")
                    own[question] = record.text("question")
    queries = (
        Query(Passage(f"{question}_{language}", text), tuple(answers[question])) for question, text in own.items()
    )
    return Pool(tuple(queries), tuple(candidates))


def _breaks(paragraph: Record, length: int) -> list[tuple[int, int]]:
    breaks = paragraph.fields.get("sentence_breaks")
    if not isinstance(breaks, list) or not all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(type(place) is int for place in pair)
        and 0 <= pair[0] < pair[1] <= length
        for pair in breaks
    ):
        raise paragraph.error("expected a list 'sentence_breaks' of first and last characters in the context")
    return [(start, end) for start, end in breaks]


def _answer_start(record: Record) -> int:
    match record.fields.get("answers"):
        case [{"answer_start": int(start)}, *_]:
            return start
    raise record.error("expected 'answers' with an 'answer_start'")


def _objects(record: Record, key: str) -> Iterable[Record]:
    items = record.fields.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise record.error(f"expected a list {key!r} of objects, found {shown(items)}")
    return (Record(record.path, f"{record.line}.{key}[{i}]", item) for i, item in enumerate(items))


CANDIDATE_FILE = "candidate_set_entities.jsonl"


def read_mewslix(path: Path, task: Task, language: str) -> Pool:
    """Mewsli-X: mentions of one language, marked in their sentence, and the entities' descriptions.

    The mentions of all languages are in one file, or in one for each language in a folder beside the entities, as
    XTREME's script leaves them, with empty ids where it withholds the answers. Source: Ruder et al. 2021,
    arXiv:2104.07412, section 3.

    Raises:
        DataError: a file has not this shape.
    """
    candidates = (
        Passage(record.text("entity_id"), record.text("title"), record.text("description"))
        for record in read_jsonl(_candidate_file(path))
    )
    queries = [
        query
        for record in read_jsonl(path)
        for query in _mentions(record)
        if _object(record, "context").get("language") == language
    ]
    if not queries:
        raise DataError(f"{path.with_suffix('')}: no mention in language {language}")
    names = Counter(query.passage.id for query in queries)
    if repeated := [name for name, count in names.items() if count > 1]:
        raise DataError(
            f"{path}: example_id {repeated[0]!r} occurs {names[repeated[0]]} times; give each mention its own"
        )
    return Pool(tuple(queries), tuple(candidates))


def _candidate_file(mentions: Path) -> Path:
    beside, above = mentions.with_name(CANDIDATE_FILE), mentions.parent.with_name(CANDIDATE_FILE)
    return above if above.exists() and not beside.exists() else beside


def _object(record: Record, key: str) -> dict[str, Any]:
    value = record.fields.get(key)
    if not isinstance(value, dict):
        raise record.error(f"expected an object {key!r}, found {shown(value)}")
    return value


def _mentions(record: Record) -> Iterator[Query]:
    context = Record(record.path, record.line, _object(record, "context"))
    text = context.text("text")
    for mention in _objects(record, "mentions"):
        span = _object(mention, "mention_span")
        start, end = span.get("start"), span.get("end")
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
            raise mention.error(
                f"a mention's 'start' and 'end' must be characters of the text, found {shown(span)}"
            )
        if span.get("text", text[start:end]) != text[start:end]:
            raise mention.error(f"mention {shown(span.get('text'))} does not stand at character {start}")
        left, right = _sentence(context, start, len(text))
        marked = f"{text[left:start]}{{ {text[start:end]} }}{text[end:right]}"
        answers = None if mention.fields.get("entity_id") == "" else (mention.text("entity_id"),)
        yield Query(Passage(mention.text("example_id"), marked), answers)


def _sentence(context: Record, start: int, length: int) -> tuple[int, int]:
    """The sentence around a character, the whole text where sentences are not marked."""
    for span in _objects(context, "sentence_spans") if context.fields.get("sentence_spans") else ():
        left, right = span.fields.get("start"), span.fields.get("end")
        if type(left) is int and type(right) is int and 0 <= left <= start < right <= length:
            return left, right
    return 0, length
