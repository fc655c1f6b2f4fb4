import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from hypothesis import given
from hypothesis import strategies as st

from lowres_stilts.data.hub import HubDataset, _with_names
from lowres_stilts.errors import DataError
from tests.hub_client import HubClient
from tests.hub_server import serving

OLD, NEW, EXPORT = "0" * 39 + "1", "0" * 39 + "2", "0" * 39 + "3"
NLI = Features(
    {
        "premise": Value("string"),
        "label": ClassLabel(names=["entailment", "neutral", "contradiction"]),
        "meta": {"genre": Value("string"), "votes": List(ClassLabel(names=["yes", "no"]))},
        "answers": List({"text": Value("string"), "start": Value("int32")}),
    }
)
NER = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=["O", "B-PER"]))})
ONLY_FIRST = HubDataset("lab/xnli", config="ur")
"""Its older commit is in the cache, the newer one is not."""
SUMMED = HubDataset("lab/rounds", config="plain", splits={"train": "r2+r1"})
ONLY_CONFIG = HubDataset("lab/rounds", config="", splits={"train": "r1"})
"""Its card names one configuration, which nobody needs to name."""
MARKED = HubDataset("lab/marked", config="")
"""Its card marks one of two configurations as the one to take."""
NER_SET = HubDataset("lab/ner", config="")
EXPORTED = HubDataset("lab/script", revision="refs/convert/parquet")
XNLI = HubDataset("lab/xnli", languages={"swh": "sw"}, fields={"genre": "meta.genre", "starts": "answers.start"})
SW = ["jambo", "habari"]


def nli_rows(texts):
    return [
        {
            "premise": text,
            "label": number - 1,
            "meta": {"genre": "letters", "votes": [1, -1]} if number else None,
            "answers": [{"text": text, "start": number}],
        }
        for number, text in enumerate(texts)
    ]


def write_parquet(path, rows, features):
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_list(rows, features=features).to_parquet(str(path))


def write_card(folder, configs, splits, default=None):
    lines = ["---", "configs:"]
    for config in configs:
        lines += [f"- config_name: {config}", f"  default: {str(config == default).lower()}", "  data_files:"]
        lines += [f"  - {{split: {split}, path: {config}/{split}-*.parquet}}" for split in splits]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))


def write_commit(folder, texts, part="{}/{}-00000.parquet"):
    for config, rows in {"sw": texts, "ur": ["salaam"]}.items():
        for split in ("validation", "test"):
            write_parquet(folder / part.format(config, split), nli_rows(rows), NLI)


def write_refs(folder, **refs):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "refs.json").write_text(json.dumps(refs))


@pytest.fixture(scope="module")
def hub_folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("hub")
    xnli = root / "lab" / "xnli"
    write_refs(xnli, main=NEW, first=OLD)
    for commit, texts in {OLD: ["zamani"], NEW: SW}.items():
        write_commit(xnli / commit, texts)
        write_card(xnli / commit, ["sw", "ur"], ["validation", "test"])
    rounds = root / "lab" / "rounds"
    write_refs(rounds, main=NEW)
    write_card(rounds / NEW, ["plain"], ["r1", "r2"])
    write_parquet(rounds / NEW / "plain" / "r1-0.parquet", nli_rows(["moja", "mbili"]), NLI)
    write_parquet(rounds / NEW / "plain" / "r2-0.parquet", nli_rows(["tatu"]), NLI)
    write_refs(root / "lab" / "marked", main=NEW)
    write_commit(root / "lab" / "marked" / NEW, SW)
    write_card(root / "lab" / "marked" / NEW, ["sw", "ur"], ["validation", "test"], default="ur")
    ner = root / "lab" / "ner"
    write_refs(ner, main=NEW)
    sentences = [{"tokens": ["Asha", "yuko"], "ner_tags": [1, 0]}, {"tokens": ["hapa"], "ner_tags": None}]
    write_parquet(ner / NEW / "data" / "test-0.parquet", sentences, NER)
    script = root / "lab" / "script"
    write_refs(script, main=NEW, **{"refs/convert/parquet": EXPORT})
    (script / NEW).mkdir()
    (script / NEW / "script.py").write_text("raise SystemExit\n")
    write_commit(script / EXPORT, SW, "{}/{}/0000.parquet")
    shutil.copytree(xnli, root / "lab" / "closed")
    (root / "lab" / "closed" / "gated").touch()
    write_refs(root / "lab" / "broken", main=NEW)
    (root / "lab" / "broken" / "broken").touch()
    return root


@pytest.fixture(scope="module")
def endpoint(hub_folder):
    with serving(hub_folder) as url:
        yield url


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts clients that share one cache and end with the module."""
    home = tmp_path_factory.mktemp("home")
    clients = []

    def started(endpoint, **environment):
        clients.append(HubClient(home, endpoint, **environment))
        return clients[-1]

    yield started
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def client(endpoint, start):
    return start(endpoint)


@pytest.fixture
def newcomer(endpoint, tmp_path):
    """A client with an empty cache of its own."""
    client = HubClient(tmp_path / "home", endpoint)
    yield client
    client.close()


@pytest.fixture(scope="module")
def filled(client):
    """The cache has both commits of Swahili, the older one of Urdu, and the Hub's own conversion."""
    for revision in (None, "first"):
        client.records(XNLI, "test", "swh", revision=revision)
    client.records(ONLY_FIRST, "test", "ur", revision="first")
    client.records(EXPORTED, "test", "sw")
    client.records(ONLY_CONFIG, "train", "sw")
    client.records(NER_SET, "test", "sw")
    for dataset in (HubDataset("lab/marked"), MARKED):
        client.records(dataset, "test", "sw")


@pytest.fixture(scope="module", params=["offline", "server down"])
def cut_off(request, filled, start):
    """A client with a cache and no hub: told so, or left to find out."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        yield start(endpoint, **({"HF_HUB_OFFLINE": "1"} if request.param == "offline" else {}))


def premises(records):
    return [record["fields"]["premise"] for record in records]


def refused(client, dataset, split="test", language="sw", **options):
    with pytest.raises(DataError) as caught:
        client.records(dataset, split, language, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def test_rows_become_records_with_the_names_of_labels(client):
    first, second = client.records(XNLI, "test", "swh")
    assert first == {
        "path": "lab/xnli/sw/test",
        "line": 1,
        "fields": {
            "premise": "jambo",
            "label": None,
            "meta": None,
            "answers": [{"text": "jambo", "start": 0}],
            "genre": None,
            "starts": [0],
        },
    }
    assert second["line"] == 2
    assert second["fields"]["label"] == "entailment"
    assert second["fields"]["meta"] == {"genre": "letters", "votes": ["no", None]}
    assert second["fields"]["genre"] == "letters"


def test_our_dev_is_the_hubs_validation(client):
    (record,) = client.records(XNLI, "dev", "ur", streaming=True)
    assert record["path"] == "lab/xnli/ur/validation"
    assert record["fields"]["premise"] == "salaam"


def test_a_slice_of_a_split_can_stand_for_one_that_is_missing(client):
    dataset = HubDataset("lab/xnli", splits={"dev": "test[50%:]"})
    assert premises(client.records(dataset, "dev", "sw")) == SW[1:]


def test_a_sum_of_splits_is_read_in_its_order(newcomer):
    # First the stream: what is in the cache would be read from there.
    both = newcomer.records(SUMMED, "train", "sw", streaming=True)
    assert premises(both) == ["tatu", "moja", "mbili"]
    assert [(record["path"], record["line"]) for record in both] == [
        ("lab/rounds/plain/r2+r1", line) for line in (1, 2, 3)
    ]
    assert [record["fields"]["label"] for record in both] == [None, None, "entailment"]
    assert newcomer.records(SUMMED, "train", "sw") == both


@pytest.mark.parametrize("streaming", [True, False])
def test_each_part_of_a_sum_must_be_there(client, streaming):
    dataset = HubDataset("lab/rounds", config="", splits={"train": "r1+r9"})
    assert "no split 'r9'; there are r1, r2" in str(refused(client, dataset, "train", streaming=streaming))


def test_a_stream_has_no_slices(client):
    dataset = HubDataset("lab/xnli", splits={"dev": "test[50%:]"})
    assert "'test[50%:]' is a slice" in str(refused(client, dataset, "dev", streaming=True))


def test_streaming_gives_what_downloading_gives_and_keeps_nothing(newcomer, tmp_path):
    cached = tmp_path / "home" / "datasets" / "lab___ner"
    streamed = newcomer.records(NER_SET, "test", "sw", streaming=True)
    assert [record["fields"]["ner_tags"] for record in streamed] == [["B-PER", "O"], None]
    assert not cached.exists()
    assert newcomer.records(NER_SET, "test", "sw") == streamed
    assert cached.exists()


def test_folders_without_a_card_are_configurations(client):
    streamed = client.records(EXPORTED, "test", "sw", streaming=True)
    assert premises(streamed) == SW
    assert client.records(EXPORTED, "test", "sw") == streamed
    assert "there are sw, ur" in str(refused(client, EXPORTED, language="yo"))


@pytest.mark.parametrize("revision", ["first", OLD])
def test_a_pinned_revision_gives_its_own_rows(client, revision):
    assert premises(client.records(XNLI, "test", "swh", revision=revision)) == ["zamani"]
    assert premises(client.records(XNLI, "test", "swh")) == SW


def test_a_revision_resolves_to_its_commit(client):
    assert client.commit(XNLI) == NEW
    assert client.commit(XNLI, "first") == OLD
    assert client.commit(XNLI, OLD) == OLD
    assert client.commit(EXPORTED) == EXPORT


def test_the_cache_serves_without_a_hub(cut_off):
    assert cut_off.commit(XNLI) == NEW
    assert premises(cut_off.records(XNLI, "test", "swh")) == SW
    assert premises(cut_off.records(XNLI, "test", "swh", streaming=True)) == SW
    assert premises(cut_off.records(XNLI, "test", "swh", revision="first")) == ["zamani"]
    assert premises(cut_off.records(XNLI, "test", "swh", revision=OLD)) == ["zamani"]
    assert premises(cut_off.records(EXPORTED, "test", "sw")) == SW
    assert premises(cut_off.records(ONLY_CONFIG, "train", "sw")) == ["moja", "mbili"]
    assert premises(cut_off.records(MARKED, "test", "sw")) == ["salaam"]
    assert len(cut_off.records(NER_SET, "test", "sw")) == 2


def test_another_commit_in_the_cache_is_not_read_instead(cut_off):
    assert premises(cut_off.records(ONLY_FIRST, "test", "ur", revision="first")) == ["salaam"]
    assert f"not in the cache at revision {NEW}" in str(refused(cut_off, ONLY_FIRST, revision=NEW))
    assert "cannot be reached" in str(refused(cut_off, ONLY_FIRST))


@pytest.mark.parametrize(
    ("dataset", "language"),
    [(HubDataset("lab/never"), "sw"), (HubDataset("lab/never", revision=OLD), "sw"), (XNLI, "yo")],
)
def test_what_is_nowhere_says_how_to_get_it(cut_off, dataset, language):
    error = refused(cut_off, dataset, language=language)
    assert "cannot be reached" in str(error)
    assert "download it once while online, or use data.source: files" in str(error)
    assert str(error.__cause__) != "NoneType"


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (HubDataset("lab/none"), {}, "lab/none: no such data set at http"),
        (HubDataset("no/such/folder"), {}, "no/such/folder: neither a folder nor a data set's name"),
        (HubDataset("lab/broken"), {}, "lab/broken: not in the cache at revision main, and http"),
        (XNLI, {"language": "yo"}, "lab/xnli: no configuration 'yo'; there are sw, ur"),
        (HubDataset("lab/xnli", config=""), {}, "lab/xnli: name one configuration of sw, ur"),
        (HubDataset("lab/ner"), {}, "lab/ner: no configuration 'sw'; there are data"),
        (XNLI, {"split": "train"}, "lab/xnli/sw: no split 'train'; there are validation, test"),
        (XNLI, {"split": "held-out"}, "lab/xnli has no split 'held-out'; its splits are train, dev, test"),
        (XNLI, {"revision": "second"}, "lab/xnli: no revision 'second'"),
        (XNLI, {"revision": "f" * 40}, f"lab/xnli: no revision '{'f' * 40}'"),
        (
            HubDataset("lab/script"),
            {},
            "lab/script: it has a loading script, and `datasets` runs none; revision refs/",
        ),
        (HubDataset("lab/closed"), {}, "lab/closed: access is gated; ask for it on its page at http"),
        (
            HubDataset("lab/xnli", fields={"topic": "meta.topic"}),
            {},
            "lab/xnli/sw/test:2: no field 'meta.topic'; there are premise, label, meta, answers",
        ),
    ],
)
def test_errors_name_what_there_is(client, dataset, options, message):
    assert str(refused(client, dataset, **options)).startswith(message)


def test_errors_keep_their_cause(client):
    assert str(refused(client, HubDataset("lab/closed")).__cause__) == "GatedRepoError"


def test_a_folder_is_read_like_the_hub(client, hub_folder):
    folder = str(hub_folder / "lab" / "xnli" / NEW)
    dataset = HubDataset(folder)
    records = client.records(dataset, "test", "sw")
    assert premises(records) == SW
    assert records[0]["path"] == f"{folder}/sw/test"
    assert client.records(dataset, "test", "sw", streaming=True) == records
    assert "there are sw, ur" in str(refused(client, dataset, language="yo"))
    assert premises(client.records(HubDataset(str(hub_folder / "lab" / "script" / EXPORT)), "test", "sw")) == SW


def test_a_folder_has_no_commits(client, hub_folder):
    dataset = HubDataset(str(hub_folder / "lab" / "xnli" / NEW))
    assert client.commit(dataset) == "local"
    assert premises(client.records(dataset, "test", "sw", revision="local")) == SW
    assert f"no revision '{NEW}'; a folder has no revisions" in str(refused(client, dataset, revision=NEW))


def test_a_changed_folder_gives_its_new_rows(client, hub_folder, tmp_path):
    folder = shutil.copytree(hub_folder / "lab" / "xnli" / NEW, tmp_path / "nli")
    assert premises(client.records(HubDataset(str(folder)), "test", "sw")) == SW
    write_parquet(folder / "sw" / "test-00000.parquet", nli_rows(["mpya"]), NLI)
    assert premises(client.records(HubDataset(str(folder)), "test", "sw")) == ["mpya"]


def test_a_broken_file_is_a_data_error(client, hub_folder, tmp_path):
    folder = shutil.copytree(hub_folder / "lab" / "xnli" / NEW, tmp_path / "nli")
    (folder / "sw" / "test-00000.parquet").write_bytes(b"not parquet at all")
    for streaming in (False, True):
        message = str(refused(client, HubDataset(str(folder)), streaming=streaming))
        assert message.startswith(f"{folder}/sw/test: cannot be read: ")
        assert "arquet" in message.removeprefix(str(folder))


def test_json_lines_are_read_as_they_are(client, tmp_path):
    rows = [{"text": "jambo", "label": 1}, {"text": "habari", "label": None}]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [r["fields"] for r in client.records(HubDataset(str(tmp_path), config=""), "test", "sw")] == rows


@given(st.lists(st.lists(st.integers(-1, 2) | st.none())))
def test_every_label_in_nested_lists_is_a_name_or_none(values):
    labels = ClassLabel(names=["a", "b", "c"])
    named = _with_names(List(List(labels)), values)
    known = [[None if v in {None, -1} else v for v in inner] for inner in values]
    assert [[None if name is None else labels.str2int(name) for name in inner] for inner in named] == known


def test_the_defaults_cannot_be_changed():
    for mapping in (XNLI.splits, HubDataset("lab/xnli").languages, HubDataset("lab/xnli").fields):
        with pytest.raises(TypeError):
            mapping["dev"] = "other"


def test_the_module_alone_imports_nothing_heavy():
    check = (
        "import sys, lowres_stilts.data.hub; print({'datasets', 'huggingface_hub', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
