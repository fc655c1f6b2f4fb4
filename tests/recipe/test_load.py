"""Recipes as files: what is read, and how mistakes are named."""

import pytest

from lowres_stilts.errors import RecipeError
from lowres_stilts.recipe import Recipe
from tests.recipe.recipes import GOOD, refusal


def test_defaults_fill_the_rest(write):
    recipe = Recipe.load(write(GOOD))
    assert recipe.target.train.lr == 1e-4
    assert (recipe.model.quantize, recipe.target.transfer, recipe.seed) == ("nf4", "stack", 13)
    assert (recipe.intermediate.train.epochs, recipe.target.train.epochs) == (None, None)


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
            ":7: intermediate.qqq: unknown key; the keys here are tasks, package, mix, languages, translated, mod",
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
        ("    lr: 1e-4", "    warmup:", ":11: target.train.warmup: Input should be a valid number, found nothing"),
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
        ("tasks: [starter-reply]", "tasks: []", ":6: intermediate: name tasks, or a package"),
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
            "intermediate:\n  tasks: [starter-reply]\ntarget:\n",
            "target:\n  transfer: stack\n",
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
            "tasks:\n  mine: {family: tagging, languages: [sw], labels: [O, B-PER, O]}\ntarget:",
            ":9: tasks.mine: labels has 'O' twice",
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
        ("  tasks: [starter-reply]", "  train: {}", ":6: intermediate: name tasks, or a package"),
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
    assert refusal(tmp_path) == f"{tmp_path} is a folder; a file is wanted"
    path = write(b"name: \xff")
    assert refusal(path) == f"{path}: cannot be read: not valid UTF-8"


def test_no_stays_norwegian_in_the_file_too(write):
    text = GOOD + "evaluate: {languages: [sw, no, yes, on, off, y, n]}\n"
    assert Recipe.load(write(text)).evaluate.languages == "sw no yes on off y n".split()


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


def test_a_mistake_between_sections_stands_at_the_start_of_the_file(write):
    path = write(GOOD)
    message = "target.transfer is 'stack' but there is no intermediate phase; add one or set transfer: none"
    assert refusal(path, ["target.transfer=stack", "intermediate=null"]) == f"{path}:1: {message}"
    with pytest.raises(RecipeError) as error:
        Recipe.load(path).changed({"intermediate": None, "target.transfer": "stack"})
    assert str(error.value) == f"recipe small: {message}"


def test_without_an_intermediate_phase_the_target_is_trained_alone(write):
    assert Recipe.load(write(GOOD), ["intermediate=null"]).target.transfer == "none"
    assert Recipe.load(write(GOOD)).target.transfer == "stack"


def test_a_key_with_a_line_break_is_named_in_one_line(write):
    text = GOOD + '"two\\nlines": 1\n'
    assert ":12: two lines: unknown key" in refusal(write(text))
    text = GOOD + 'tasks: {"two\\nlines": {family: retrieval, languages: [sw]}}\n'
    assert r": tasks.two lines: two\nlines: a name cannot have control characters" in refusal(write(text))


def test_a_study_is_told_its_command(write):
    path = write("name: grid\naxes: {}\n")
    assert refusal(path) == f"{path}:2: this is a study; its command is lowres-stilts study"
