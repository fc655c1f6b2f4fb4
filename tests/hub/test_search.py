"""Packages on the Hub, listed by the tag of their cards: the real client against a server on this machine."""

import json

from tests.hub_repo_server import READER

CARD = """---
base_model: intfloat/multilingual-e5-small
library_name: {library}
tags: [lowres-stilts, {kind}, cross-lingual-transfer, {family}]
---
"""


def add(hub, name, *, kind="lora", family="tagging", private=False):
    library = "peft" if kind == "lora" else "adapter-transformers"
    card = CARD.format(library=library, kind=kind, family=family)
    hub.repository(name, {"README.md": card.encode()}, private=private)


def listed(shell, *arguments, token=None):
    done = shell("hub", "list", *arguments, "--json", token=token)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_packages_are_found_by_their_tag(hub, shell):
    add(hub, "me/ner")
    add(hub, "you/language-sw", kind="language", family="mlm")
    hub.repository("me/other", {"README.md": b"---\ntags: [lora]\n---\n"})
    hub.repository("me/bare", {})
    base = "intfloat/multilingual-e5-small"
    assert listed(shell, "--hub") == [
        {"repo": "me/ner", "kind": "lora", "families": ["tagging"], "base": base, "private": False},
        {"repo": "you/language-sw", "kind": "language", "families": ["mlm"], "base": base, "private": False},
    ]
    assert [path for _, path in hub.log] == ["/api/models"]
    shown = shell("hub", "list", "--hub").stdout.splitlines()
    assert shown[1].split() == ["you/language-sw", "language", "mlm", base]


def test_owners_words_and_limits(hub, shell):
    for number in range(5):
        add(hub, f"me/ner-{number}")
    add(hub, "you/ner-9", kind="bottleneck")
    add(hub, "me/xnli", family="classification")

    def repos(*arguments):
        return [row["repo"] for row in listed(shell, *arguments)]

    assert repos("--author", "you") == ["you/ner-9"]
    assert repos("--search", "XNLI") == ["me/xnli"]
    assert repos("--author", "me", "--search", "ner", "--limit", "2") == ["me/ner-0", "me/ner-1"]
    assert repos("--author", "nobody") == []
    hub.page, every = 2, [*(f"me/ner-{number}" for number in range(5)), "you/ner-9", "me/xnli"]
    assert repos("--hub") == every


def test_private_packages_are_listed_for_their_owner(hub, shell):
    add(hub, "me/secret", private=True)
    assert listed(shell, "--hub") == []
    assert [row["private"] for row in listed(shell, "--hub", token=READER)] == [True]


def test_what_a_card_cannot_say_is_not_shown(hub, shell):
    card = b'---\nbase_model: "\\e[31mred"\ntags: [lowres-stilts, "\\e[0m"]\n---\n'
    hub.repository("me/odd", {"README.md": card})
    hub.repository("me/\x1b[31m", {"README.md": b"---\ntags: [lowres-stilts]\n---\n"})
    shown = shell("hub", "list", "--hub").stdout
    assert shown.split() == ["me/odd", "-", "-"]


def test_a_hub_that_does_not_answer(hub, shell):
    done = shell("hub", "list", "--hub", token="hf_bad")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "does not accept the token" in done.stderr
