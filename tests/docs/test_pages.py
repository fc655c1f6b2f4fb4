import os

import pytest

from tests.docs.pages import Block, Shell, agrees, follow, read_page

PAGE = """# A page

```yaml title="a.yaml"
x: 1
```

```sh
cat a.yaml
echo 0.25 points
```

```text
x: 1
0.31   points
```

```sh title="Not run by the tests: it would fail"
false
```

```text
never looked at
```
"""


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path, dict(os.environ))
    yield shell
    shell.close()


@pytest.fixture
def page(tmp_path):
    def page(text):
        path = tmp_path / "page.md"
        path.write_text(text)
        return path

    return page


def test_blocks_are_found_with_their_lines():
    assert [(block.kind, block.title, block.line) for block in read_page(PAGE)] == [
        ("yaml", "a.yaml", 3),
        ("sh", "", 7),
        ("text", "", 12),
        ("sh", "Not run by the tests: it would fail", 17),
        ("text", "", 21),
    ]


def test_a_page_is_followed(shell, page):
    assert follow(page(PAGE), shell, long=False, swaps={}) == 1


@pytest.mark.parametrize(
    ("old", "new"), [("x: 1\n0", "x: 2\n0"), ("points\n```\n\n```text", "point\n```\n\n```text"), ("cat", "cat b")]
)
def test_what_is_printed_otherwise_or_fails_is_told(shell, page, old, new):
    with pytest.raises(AssertionError, match=r"page\.md:"):
        follow(page(PAGE.replace(old, new, 1)), shell, long=False, swaps={})


def test_a_failure_in_the_middle_of_a_block_is_one(shell):
    assert shell.run(Block("sh", "", "false\necho done\n", 1)) == (False, "done\n")
    assert shell.run(Block("sh", "", "cat absent | cat\n", 1))[0] is False
    assert shell.run(Block("sh", "", "until true; do sleep 1; done\n", 1)) == (True, "")


def test_variables_last_from_block_to_block(shell):
    shell.run(Block("sh", "", "x=5\n", 1))
    assert shell.run(Block("sh", "", "echo $x\n", 1)) == (True, "5\n")


def test_swaps_go_in_and_come_back(shell, page):
    text = "```sh\necho at 8000, not 8123\n```\n\n```text\nat 8000, not 8000\n```\n"
    assert follow(page(text), shell, long=False, swaps={"8000": "8123"}) == 1


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("gain +1.5 points", "gain -20.25 points  \n\n", True),
        ("n 15", "n 16", False),
        ("a ... c", "a b\nb c", True),
        ("a ... c", "a b d", False),
        ("a\nb", "a b", False),
    ],
)
def test_what_agrees(shown, printed, same):
    assert agrees(shown, printed) is same
