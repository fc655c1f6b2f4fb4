import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lowres_stilts.errors import RecipeError
from lowres_stilts.recipe import Recipe

GOOD = """\
name: small
model:
  id: some/model
data:
  source: starter
intermediate:
  tasks: [starter-reply]
target:
  task: starter-topic
  train:
    lr: 1e-4
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recipes")


def refusal(path, overrides=()):
    """The one line that says why."""
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    return message


def test_defaults_fill_the_rest(write):
    recipe = Recipe.load(write(GOOD))
    assert recipe.target.train.lr == 1e-4
    assert (recipe.model.quantize, recipe.target.transfer, recipe.seed) == ("nf4", "stack", 13)
    assert (recipe.intermediate.train.epochs, recipe.target.train.epochs) == (1, 3)


@pytest.mark.parametrize("written", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")])
def test_a_byte_order_mark_and_windows_line_ends_are_fine(written, write):
    assert Recipe.load(write(written(GOOD))) == Recipe.load(write(GOOD))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    lr: 1e-4", "    lrr: 1e-4", ":11: target.train.lrr: unknown key; did you mean 'lr'?"),
        ("name: small", "nmae: small\nname: small", ":1: nmae: unknown key; did you mean 'name'?"),
        ("  tasks: [", "  modul: {}\n  tasks: [", ":7: intermediate.modul: unknown key; did you mean 'module'?"),
        (
            "  tasks: [",
            "  qqq: 1\n  tasks: [",
            ":7: intermediate.qqq: unknown key; the keys here are tasks, mix, languages, translated, mod",
        ),
        (
            "target:",
            "tasks:\n  mine: {family: retrieval, languages: [sw],\n    labls: []}\ntarget:",
            ":10: tasks.mine.labls: unknown key",
        ),
    ],
)
def test_an_unknown_key_names_its_line_and_the_nearest_key(old, new, message, write):
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))
    assert refusal(path).startswith(f"{path}{message}")


def test_an_unknown_key_of_a_task_of_the_users_own_names_the_nearest_key(write):
    text = GOOD + "tasks:\n  mine: {family: retrieval, languages: [sw], labls: []}\n"
    assert refusal(write(text)).endswith("tasks.mine.labls: unknown key; did you mean 'labels'?")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    lr: 1e-4", "    lr: fast", ":11: target.train.lr: Input should be a valid number, "),
        ("    lr: 1e-4", "    lr: [1e-4]", ":11: target.train.lr: Input should be a valid number, found [0.0001]"),
        ("    lr: 1e-4", "    lr:", ":11: target.train.lr: Input should be a valid number, found nothing"),
        ("    lr: 1e-4", "    epochs: 1.5", ":11: target.train.epochs: Input should be a valid integer, "),
        ("name: small", "name: 3", ":1: name: Input should be a valid string, found 3"),
        ("name: small", "name: {a: b}", ":1: name: Input should be a valid string, found {'a': 'b'}"),
        ("model:\n  id: some/model\n", "model: big\n", ":2: model: Input should be a valid dictionary"),
        ("  source: starter", "  - starter", ":4: data: Input should be a valid dictionary"),
        ("tasks: [starter-reply]", "tasks: starter-reply", ":7: intermediate.tasks: Input should be a valid list"),
        ("tasks: [starter-reply]", "tasks:\n  - 3", ":8: intermediate.tasks.0: Input should be a valid string"),
        ("name: small", "name: small\nseed: one", ":2: seed: Input should be a valid integer"),
        ("name: small", "name: small\nevaluate: {languages: sw}", ":2: evaluate.languages: Input should be 'all'"),
    ],
)
def test_a_wrong_type_names_its_line_and_key(old, new, message, write):
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))
    assert refusal(path).replace("found None", "found nothing").startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    lr: 1e-4", "    lr: -1", ":11: target.train.lr: Input should be greater than 0, found -1"),
        ("    lr: 1e-4", "    lr: nan", ":11: target.train.lr: Input should be a finite number, found"),
        ("    lr: 1e-4", "    epochs: 0", ":11: target.train.epochs: Input should be greater than 0, found 0"),
        ("    lr: 1e-4", "    warmup: 1.5", ":11: target.train.warmup: Input should be less than or equal to 1"),
        ("    lr: 1e-4", "    holdout: 1", ":11: target.train.holdout: Input should be less than 1, found 1"),
        ("  id: some/model", "  id: m\n  quantize: nf5", ":4: model.quantize: Input should be 'none', 'int8' or"),
        (
            "source: starter",
            "source: hug",
            ":5: data.source: Input should be 'xtreme', 'starter', 'files' or 'hub'",
        ),
        ("source: starter", "source: xtreme", ":4: data: source xtreme needs dir"),
        (
            "  task: s",
            "  transfer: add\n  task: s",
            ":9: target.transfer: there is no 'add' here; there are stack, continue, fuse, merge, none",
        ),
        ("tasks: [starter-reply]", "tasks: []", ":7: intermediate.tasks: List should have at least 1 item"),
        ("tasks: [starter-reply]", "tasks: [a, a]", ":6: intermediate: tasks names a task twice"),
        (
            "tasks: [starter-reply]",
            "tasks: [a]\n  mix: {weights: {b: 1}}",
            ":6: intermediate: mix.weights names 'b', which is none of the tasks",
        ),
        (
            "tasks: [starter-reply]",
            "tasks: [a, b]\n  mix: {weights: {b: 1}}",
            ":6: intermediate: mix.weights must give every task a weight",
        ),
        (
            "tasks: [starter-reply]",
            "tasks: [a]\n  languages: {b: [en]}",
            ":6: intermediate: languages names 'b', which is none of the tasks",
        ),
        (
            "tasks: [starter-reply]",
            "tasks: [a]\n  translated: [a]",
            ":6: intermediate: translated: say in languages which languages of 'a' to take",
        ),
        (
            "tasks: [starter-reply]",
            "tasks: [a]\n  mix: {temperature: 0}",
            ":8: intermediate.mix.temperature: Input should be greater than 0, found 0",
        ),
        (
            "intermediate:\n  tasks: [starter-reply]\n",
            "",
            ":1: target.transfer is 'stack' but there is no intermediate",
        ),
        (
            "  task: s",
            "  transfer: continue\n  module: {}\n  task: s",
            ":1: target.transfer continue trains the inter",
        ),
        (
            "  task: s",
            "  transfer: stack\n  module: {dora: true}\n  task: s",
            ":1: module.dora is no sum, so target.transfer stack cannot add it up",
        ),
        (
            "tasks: [starter-reply]\ntarget:",
            "tasks: [a, b]\n  mix: {cap: 9}\ntarget:\n  transfer: fuse",
            ":1: intermediate.mix: each task has a module of its own under target.transfer fuse",
        ),
        (
            "  task: s",
            "  transfer: merge\n  merge: {method: ties}\n  task: s",
            ":1: target.merge.method ties wants equal ranks, but intermediate.module.rank is 16",
        ),
        (
            "  task: s",
            "  merge: {density: 0}\n  task: s",
            ":9: target.merge.density: Input should be greater than 0, found 0",
        ),
        (
            "  task: s",
            "  module: {targets: '(query'}\n  task: s",
            ":9: target.module.targets: '(query' is no group of layers and no regular expression (missing )",
        ),
        (
            "target:",
            "languages: {adapters: [sw]}\ntarget:",
            ":8: languages: adapters must name every language once, and en, over which the phases train",
        ),
        (
            "target:",
            "languages: {adapters: [en]}\ntarget:",
            ":1: intermediate.module.kind must be bottleneck to stand on language adapters",
        ),
        (
            "  task: s",
            "  module: {kind: language}\n  task: s",
            ":1: target.module.kind language: language adapters are trained in the section languages",
        ),
        (
            "  task: s",
            "  module: {kind: bottleneck, rank: 4}\n  task: s",
            ":9: target.module: rank is no setting of kind bottleneck; remove it",
        ),
        (
            "  task: s",
            "  module: {init: loftq}\n  task: s",
            ":1: target.module.init loftq makes up for NF4 a second time",
        ),
        (
            "source: starter",
            "source: files\n  files:\n    x:\n      tst: y",
            ":8: data.files.x.tst: Input should be 't",
        ),
        (
            "target:",
            "tasks:\n  mine: {family: tagging, languages: [sw], labels: [O]}\ntarget:",
            ":9: tasks.mine: a tagging task needs at least two labels",
        ),
        (
            "target:",
            "tasks:\n  mine: {family: retrieval, languages: []}\ntarget:",
            ":9: tasks.mine.languages: List should have at least 1 item",
        ),
    ],
)
def test_a_wrong_value_names_its_line_and_key(old, new, message, write):
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))
    assert refusal(path).startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: small\n", "", ":1: name: missing key"),
        ("  id: some/model", "  compute: bf16", ":2: model.id: missing key"),
        ("  tasks: [starter-reply]", "  train: {}", ":6: intermediate.tasks: missing key"),
        ("  task: starter-topic\n", "", ":8: target.task: missing key"),
        ("model:\n  id: some/model\ndata:\n  source: starter\n", "", ":1: model: missing key (and 1 more)"),
        ("target:", "tasks:\n  mine:\n    languages: [sw]\ntarget:", ":9: tasks.mine.family: missing key"),
    ],
)
def test_a_missing_key_names_the_line_of_its_section(old, new, message, write):
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))
    assert refusal(path) == f"{path}{message}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: small", "name: small\nname: big", ":2: key 'name' stands twice"),
        ("name: small", "name: small\n'name': small", ":2: key 'name' stands twice"),
        ("    lr: 1e-4", "    lr: 1e-4\n    epochs: 1\n    lr: 2e-4", ":13: key 'lr' stands twice"),
        ("tasks: [starter-reply]", "tasks: [a]\n  module: {rank: 1, rank: 2}", ":8: key 'rank' stands twice"),
    ],
)
def test_a_key_that_stands_twice_names_the_second_line(old, new, message, write):
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))
    assert refusal(path) == f"{path}{message}"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("  tasks: [starter-reply]", "  tasks: [starter-reply", 8),
        ("  id: some/model", "  id: 'some/model", 12),
        ("  id: some/model", "\tid: some/model", 3),
        ("  id: some/model", " id: a\n  revision: b", 4),
        ("  id: some/model", "  id: *model", 3),
        ("  id: some/model", "  id: !!python/name:os.system", 3),
        ("name: small", "%YAML 2.0\n---\nname: small", 1),
        ("data:", "---\ndata:", 4),
    ],
    ids=["bracket", "quote", "tab", "indentation", "alias", "python", "directive", "two documents"],
)
def test_what_is_no_yaml_names_its_line(old, new, line, write):
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))
    assert refusal(path).startswith(f"{path}:{line}: not valid YAML: ")


@pytest.mark.parametrize(
    "value",
    [
        "\x01",
        "&a [*a]",
        "[" * 3000 + "]" * 3000,
        "!!bool maybe",
        "!!int ''",
        "!!timestamp today",
    ],
    ids=["control character", "alias of itself", "deep", "no bool", "no int", "no time"],
)
def test_odd_yaml_is_a_recipe_error_too(value, write):
    path = write(GOOD.replace("some/model", value))
    assert refusal(path).startswith(f"{path}:")


def test_a_key_with_a_line_end_is_still_one_line(write):
    assert "unknown key" in refusal(write(GOOD + '"a\\nb": 1\n'))


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "just text", "3", "null"])
def test_a_recipe_is_a_mapping(text, write):
    path = write(text)
    assert refusal(path) == f"{path}:1: a recipe is a mapping of keys to values"


def test_files_that_cannot_be_read_are_named(tmp_path, write):
    assert refusal(tmp_path / "none.yaml") == f"{tmp_path}/none.yaml: cannot be read: No such file or directory"
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    path = write(b"name: \xff")
    assert refusal(path) == f"{path}: cannot be read: not valid UTF-8"


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("evaluate.languages=[sw, no]", "evaluate.languages", ["sw", "no"]),
        ("evaluate.languages=[on, off, y, true-land]", "evaluate.languages", ["on", "off", "y", "true-land"]),
        ("target.train.lr=1e-4", "target.train.lr", 1e-4),
        ("target.train.lr=2.5E-5", "target.train.lr", 2.5e-5),
        ("target.train.lr=.5", "target.train.lr", 0.5),
        ("target.train.lr=1", "target.train.lr", 1.0),
        ("target.train.head_lr=null", "target.train.head_lr", None),
        ("seed=7", "seed", 7),
        (" seed =7", "seed", 7),
        ("seed=-7", "seed", -7),
        ("evaluate.baseline=false", "evaluate.baseline", False),
        ("evaluate.baseline=no", "evaluate.baseline", False),
        ("name=no", "name", "no"),
        ("name=2001-01-01", "name", "2001-01-01"),
        ("name=''", "name", ""),
        ("model.id=a=b", "model.id", "a=b"),
        ("evaluate.retrieval.prefix='query: '", "evaluate.retrieval.prefix", "query: "),
        ("intermediate.module={rank: 4}", "intermediate.module.rank", 4),
        ("intermediate.module.targets=[query, value]", "intermediate.module.targets", ["query", "value"]),
    ],
)
def test_overrides_are_yaml(override, key, value, write):
    found = Recipe.load(write(GOOD), [override])
    for part in key.split("."):
        found = getattr(found, part)
    assert found == value
    assert type(found) is type(value)


def test_no_stays_norwegian_in_the_file_too(write):
    text = GOOD + "evaluate: {languages: [sw, no, yes, on, off, y, n]}\n"
    assert Recipe.load(write(text)).evaluate.languages == "sw no yes on off y n".split()


def test_overrides_apply_in_order_and_make_the_sections_that_are_missing(write):
    overrides = ["evaluate.limit=1", "evaluate.limit=2", "evaluate.retrieval.layer=3", "seed=1"]
    recipe = Recipe.load(write(GOOD), overrides)
    assert (recipe.evaluate.limit, recipe.evaluate.retrieval.layer, recipe.seed) == (2, 3, 1)
    assert recipe.target.train.lr == 1e-4


def test_an_override_can_mend_the_file(write):
    path = write(GOOD.replace("name: small", "name: 3"))
    assert Recipe.load(path, ["name=three"]).name == "three"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "expected key=value, for instance seed=7 or target.train.epochs=1"),
        ("=3", "expected key=value"),
        ("a..b=3", "expected key=value"),
        ("name.first=3", "name is not a mapping"),
        ("intermediate.tasks.0=xnli", "tasks is not a mapping"),
        ("target.train.lr=fast", "target.train.lr: Input should be a valid number"),
        ("target.trian.lr=1", "target.trian: unknown key; did you mean 'train'?"),
        ("sede=1", "sede: unknown key; did you mean 'seed'?"),
        ("target={task: x, tsk: y}", "target.tsk: unknown key; did you mean 'task'?"),
    ],
)
def test_a_wrong_override_is_named(override, message, write):
    assert refusal(write(GOOD), [override]).startswith(f"--set {override}: {message}")


def test_a_wrong_value_of_a_section_that_an_override_made_is_named(write):
    message = refusal(write(GOOD), ["evaluate.retrieval.layer=deep"])
    assert message == (
        "--set evaluate.retrieval.layer=deep: evaluate.retrieval.layer: Input should be a valid integer, "
        "unable to parse string as an integer, found 'deep'"
    )


def test_a_missing_key_of_a_section_that_an_override_made_names_the_override(write):
    assert refusal(write(GOOD), ["tasks.mine.pair=true"]).startswith(
        "--set tasks.mine.pair=true: tasks.mine.family: missing key"
    )


@pytest.mark.parametrize("value", ["[1", "{a: 1, a: 2}", "'x"])
def test_an_override_that_is_no_yaml_is_named(value, write):
    assert refusal(write(GOOD), [f"seed={value}"]).startswith(f"--set seed={value}:1: ")


@pytest.mark.parametrize(("override", "key"), [("sede.a.b=1", "sede"), ("evalute.a=1", "evalute")])
def test_an_override_is_named_where_it_makes_a_section(override, key, write):
    assert refusal(write(GOOD), [override]).startswith(f"--set {override}: {key}: unknown key; did you mean")


@pytest.mark.parametrize(("override", "key"), [("seed=", "seed"), ("target={}", "target.task")])
def test_an_override_is_named_where_it_takes_something_away(override, key, write):
    assert refusal(write(GOOD), [override]).startswith(f"--set {override}: {key}: ")


def test_an_anchor_may_be_used_again(write):
    text = GOOD.replace("    lr: 1e-4", "    &train\n    lr: 1e-4").replace(
        "  tasks: [", "  train: {lr: 3e-4}\n  tasks: ["
    )
    recipe = Recipe.load(write(text + "seed: &seed 3\n"))
    assert (recipe.target.train.lr, recipe.seed) == (1e-4, 3)
    merged = GOOD.replace("[starter-reply]", "[starter-reply]\n  train: &train {lr: 3e-4}").replace(
        "    lr: 1e-4", "    <<: *train\n    epochs: 2"
    )
    recipe = Recipe.load(write(merged))
    assert (recipe.target.train.lr, recipe.target.train.epochs) == (3e-4, 2)


def test_a_mapping_overrides_what_it_merges(write):
    merged = GOOD.replace("[starter-reply]", "[starter-reply]\n  train: &train {lr: 3e-4, epochs: 9}").replace(
        "    lr: 1e-4", "    <<: *train\n    lr: 1e-4"
    )
    recipe = Recipe.load(write(merged))
    assert (recipe.target.train.lr, recipe.target.train.epochs) == (1e-4, 9)


def written_again(folder, recipe):
    path = folder / "resolved.yaml"
    path.write_text(recipe.as_yaml(), encoding="utf-8")
    return Recipe.load(path)


def test_what_is_written_has_every_default(write):
    values = yaml.safe_load(Recipe.load(write(GOOD)).as_yaml())
    assert list(values) == list(Recipe.model_fields)
    assert values["target"]["train"]["epochs"] == 3
    assert values["evaluate"]["retrieval"]["pooling"] == "mean"


PRINTABLE = st.text(st.characters(categories=["L", "M", "N", "P", "S"], include_characters=" "), max_size=12)
ODD_WORDS = st.sampled_from(
    ["no", "null", "~", "1", "0x1", "1:30", "=", "<<", "true", "2001-01-01", "", "- a", "#"]
)
# Not those that look like numbers with an exponent: see the test below.
TEXT = (PRINTABLE | ODD_WORDS).filter(lambda text: text.strip("+-_.0123456789eE") or "e" not in text.lower())
KEY = TEXT.map(lambda text: " ".join(text.split()))
RATE = st.floats(1e-8, 1e3, allow_nan=False)
TRAIN = st.fixed_dictionaries({"lr": RATE, "weight_decay": RATE, "warmup": st.floats(0, 1)})
MINE = st.fixed_dictionaries(
    {"family": st.just("tagging"), "languages": st.lists(TEXT, min_size=1), "labels": st.just(["O", "no"])}
)
FILES = st.dictionaries(KEY, st.dictionaries(st.sampled_from(["train", "test"]), TEXT))
VALUES = st.fixed_dictionaries(
    {
        "name": TEXT,
        "model": st.fixed_dictionaries({"id": TEXT}, optional={"revision": st.none() | TEXT}),
        "data": st.fixed_dictionaries({"source": st.just("files")}, optional={"dir": TEXT, "files": FILES}),
        "target": st.fixed_dictionaries({"task": TEXT, "transfer": st.just("none")}, optional={"train": TRAIN}),
    },
    optional={
        "tasks": st.dictionaries(KEY, MINE, max_size=2),
        "evaluate": st.fixed_dictionaries({"languages": st.lists(TEXT) | st.just("all")}),
        "seed": st.integers(),
    },
)


@settings(max_examples=80)
@given(values=VALUES)
def test_what_is_written_reads_the_same(values, folder):
    recipe = Recipe.model_validate(values)
    assert written_again(folder, recipe) == recipe


@pytest.mark.parametrize("name", ["1e-4", "12e3", "1.5e5"])
def test_a_text_that_looks_like_a_number_is_written_as_a_text(name, write, folder):
    recipe = Recipe.load(write(GOOD), [f"name='{name}'"])
    assert written_again(folder, recipe) == recipe


def test_a_recipe_that_continues_reads_the_same(write, folder):
    recipe = Recipe.load(write(GOOD), ["target.transfer=continue"])
    assert written_again(folder, recipe) == recipe


def test_a_key_keeps_its_spaces(write):
    text = GOOD.replace("source: starter", "source: files\n  files: {'two  spaces': {}}")
    assert set(Recipe.load(write(text)).data.files) == {"two  spaces"}


ODD = st.sampled_from(
    [": ", "- ", "\n", "  ", "'", '"', "[", "]", "{", "}", ", ", "#", "|", ">", "&a ", "? ", "!!str ", "%", "@",
     "\t", "<<: ", "1e-4", "no", "null", "name", "model", "target:", "seed: ", "\u2028", "Ñ", "---\n", "...\n"]
)  # fmt: skip


def a_recipe_or_a_recipe_error(path, text):
    path.write_bytes(text.encode())
    try:
        assert isinstance(Recipe.load(path), Recipe)
    except RecipeError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)


@settings(max_examples=150)
@given(text=st.lists(ODD, max_size=25).map("".join) | PRINTABLE)
def test_any_text_is_a_recipe_or_a_recipe_error(text, folder):
    a_recipe_or_a_recipe_error(folder / "any.yaml", text)


@settings(max_examples=150)
@given(start=st.integers(0, len(GOOD)), length=st.integers(0, 20), odd=st.lists(ODD, max_size=3).map("".join))
def test_a_damaged_recipe_is_a_recipe_or_a_recipe_error(start, length, odd, folder):
    a_recipe_or_a_recipe_error(folder / "damaged.yaml", GOOD[:start] + odd + GOOD[start + length :])


def test_a_mistake_between_sections_stands_at_the_start_of_the_file(write):
    path = write(GOOD)
    message = "target.transfer is 'stack' but there is no intermediate phase; add one or set transfer: none"
    assert refusal(path, ["evaluate.limit=1", "intermediate=null"]) == f"{path}:1: {message}"
    with pytest.raises(RecipeError) as error:
        Recipe.load(path).changed({"intermediate": None})
    assert str(error.value) == f"recipe small: {message}"


def test_a_key_with_a_line_break_is_named_in_one_line(write):
    text = GOOD + 'tasks: {"two\\nlines": {family: tagging}}\n'
    assert refusal(write(text)).endswith(": tasks.two lines.languages: missing key")


def test_a_study_is_told_its_command(write):
    path = write("name: grid\naxes: {}\n")
    assert refusal(path) == f"{path}:2: this is a study; its command is lowres-stilts study"
