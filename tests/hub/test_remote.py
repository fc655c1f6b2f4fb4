"""Pushing and pulling packages: the real client of the Hub against a server on this machine."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading

import pytest

from lowres_stilts.hub.verify import open_package
from lowres_stilts.sums import SUMS
from tests.commands import command
from tests.hub_repo_server import READER, WRITER
from tests.shell import Shell, hub_environment

TENSORS = "adapter_model.safetensors"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(done, *said, code=1):
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert done.stderr.startswith("error: ")
    for words in said:
        assert words in done.stderr
    assert not any(token in done.stdout + done.stderr for token in (WRITER, READER))


def commits_of(hub, name):
    return len(hub.repositories[name].commits)


def test_what_was_pushed_is_pulled_byte_by_byte(hub, shell, sound, tmp_path):
    done = shell("hub", "push", "-y", sound, "me/mood", token=WRITER)
    assert (done.returncode, done.stderr) == (0, "")
    repository = hub.repositories["me/mood"]
    assert done.stdout.endswith(f"pushed: {hub.endpoint}/me/mood/commit/{repository.branches['main']}\n")
    # The one that the Hub makes by itself, and ours.
    assert (commits_of(hub, "me/mood"), repository.private) == (2, False)
    assert set(repository.head) == {".gitattributes", *contents(sound)}
    pulled = shell("hub", "pull", "me/mood", "-o", tmp_path / "adapters" / "mine", "--json")
    assert (pulled.returncode, pulled.stderr) == (0, "")
    assert json.loads(pulled.stdout)["commit"] == repository.branches["main"]
    assert contents(tmp_path / "adapters" / "mine") == contents(sound)
    assert not any(path.is_symlink() for path in (tmp_path / "adapters" / "mine").iterdir())
    assert [path.name for path in (tmp_path / "adapters").iterdir()] == ["mine"]
    assert open_package(tmp_path / "adapters" / "mine").manifest.name == "small"


def test_pushing_the_same_again_makes_no_commit_and_needs_no_token(hub, shell, sound):
    first = shell("hub", "push", "-y", sound, "me/mood", token=WRITER)
    hub.log.clear()
    again = shell("hub", "push", "-y", sound, "me/mood")
    assert again.returncode == 0
    assert again.stdout.splitlines()[-1].split()[-1] == first.stdout.split()[-1]
    assert "nothing to send" in again.stdout
    assert (commits_of(hub, "me/mood"), hub.changes()) == (2, [])


def test_another_package_takes_the_place_of_the_former_whole(hub, shell, sound, tmp_path):
    former = dict.fromkeys([*contents(sound), "head.safetensors", "notes.txt"], b"former")
    hub.repository("me/mood", former | {TENSORS: (sound / TENSORS).read_bytes()})
    shown = json.loads(shell("hub", "push", "-y", sound, "me/mood", "--dry-run", "--json").stdout)
    assert {name: file["change"] for name, file in shown["files"].items()} == {
        **dict.fromkeys(contents(sound), "changed"),
        TENSORS: "same",
        "head.safetensors": "removed",
    }
    done = shell("hub", "push", "-y", sound, "me/mood", token=WRITER)
    assert (done.returncode, commits_of(hub, "me/mood")) == (0, 2)
    assert set(hub.repositories["me/mood"].head) == {".gitattributes", "notes.txt", *contents(sound)}
    assert shell("hub", "pull", "me/mood", "-o", tmp_path / "out").returncode == 0
    assert contents(tmp_path / "out") == contents(sound)


def test_a_dry_run_changes_nothing_and_says_what_would_be(hub, shell, sound):
    done = shell("hub", "push", "-y", sound, "me/mood", "--private", "--dry-run", token=WRITER)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "me/mood (private, to be made), branch main"
    assert f"{(sound / TENSORS).stat().st_size:,}" in done.stdout
    assert done.stdout.count("\n  new ") == len(contents(sound))
    assert done.stdout.endswith("dry run: nothing was sent\n")
    assert (hub.changes(), hub.repositories) == ([], {})


def test_a_damaged_package_is_not_sent(hub, shell, package):
    (package / "pytorch_model.bin").write_bytes(b"pickle")
    refused(shell("hub", "push", "-y", package, "me/mood", token=WRITER), "pytorch_model.bin")
    assert hub.log == []


def test_private_repositories_need_their_owner(hub, shell, sound, tmp_path):
    assert shell("hub", "push", "-y", sound, "me/secret", "--private", token=WRITER).returncode == 0
    assert hub.repositories["me/secret"].private
    refused(shell("hub", "pull", "me/secret", "-o", tmp_path / "out"), "if it is private, log in", "HF_TOKEN")
    stranger = shell("hub", "pull", "me/secret", "-o", tmp_path / "out", token="hf_stranger")
    refused(stranger, "or none that the token lets you see")
    assert not (tmp_path / "out").exists()
    assert shell("hub", "pull", "me/secret", "-o", tmp_path / "out", token=READER).returncode == 0
    # Nobody who asks for privacy gets a public repository.
    hub.repository("me/open", {})
    refused(shell("hub", "push", "-y", sound, "me/open", "--private", token=WRITER), "exists and is public")
    assert commits_of(hub, "me/open") == 1


def test_tokens_that_may_not_push(hub, shell, sound):
    refused(
        shell("hub", "push", "-y", sound, "me/mood"),
        "needs a token of the Hub with write access",
        "hf auth login",
    )
    refused(shell("hub", "push", "-y", sound, "me/mood", token=READER), "the token does not allow that")
    refused(shell("hub", "push", "-y", sound, "me/mood", token="hf_bad"), "does not accept the token")
    assert hub.repositories == {}
    hub.repository("me/open", {})
    refused(shell("hub", "push", "-y", sound, "me/open", token="hf_stranger"), "the token does not allow that")
    assert commits_of(hub, "me/open") == 1


def test_branches_and_commits(hub, shell, sound, tmp_path):
    assert shell("hub", "push", "-y", sound, "me/mood", "--revision", "trial/1", token=WRITER).returncode == 0
    repository = hub.repositories["me/mood"]
    assert set(repository.head) == {".gitattributes"}
    refused(shell("hub", "pull", "me/mood", "-o", tmp_path / "out"), "no stilts.json at revision main")
    assert shell("hub", "pull", "me/mood", "-o", tmp_path / "out", "--revision", "trial/1").returncode == 0
    commit = repository.branches["trial/1"]
    assert shell("hub", "pull", "me/mood", "-o", tmp_path / "same", "--revision", commit).returncode == 0
    refused(shell("hub", "pull", "me/mood", "-o", tmp_path / "no", "--revision", "nine"), "no revision 'nine'")
    refused(
        shell("hub", "push", "-y", sound, "me/mood", "--revision", commit, token=WRITER),
        "expected a branch",
        code=2,
    )


def test_names_that_are_none(shell, hub, sound, tmp_path):
    for name in ("mood", "a/b/c", "../up", "me/a--b", "me/..", "https://me/mood"):
        refused(shell("hub", "push", "-y", sound, name, token=WRITER), "owner/name", code=2)
        refused(shell("hub", "pull", name, "-o", tmp_path / "out"), "owner/name", code=2)
    refused(shell("hub", "pull", "me/nothing", "-o", tmp_path / "out"), "no such repository")
    assert hub.changes() == []


def test_an_upload_that_breaks_off_once_is_tried_again(hub, shell, sound):
    hub.cut_uploads = 1
    done = shell("hub", "push", "-y", sound, "me/mood", token=WRITER)
    assert (done.returncode, done.stderr, commits_of(hub, "me/mood")) == (0, "", 2)


def test_a_push_does_not_go_over_what_others_pushed_meanwhile(hub, shell, sound):
    repository = hub.repository("me/mood", {})
    hub.before_commit = lambda: repository.add("main", repository.head | {"README.md": b"theirs"})
    refused(shell("hub", "push", "-y", sound, "me/mood", token=WRITER), "changed it at the same time; try again")
    assert repository.head["README.md"] == b"theirs"
    assert shell("hub", "push", "-y", sound, "me/mood", token=WRITER).returncode == 0
    assert repository.head["README.md"] == (sound / "README.md").read_bytes()


@pytest.mark.slow  # The client tries for half a minute.
def test_an_upload_that_breaks_off_for_good_leaves_no_commit(hub, shell, sound):
    hub.cut_uploads = 100
    refused(shell("hub", "push", "-y", sound, "me/mood", token=WRITER), "broke off", "try again")
    assert commits_of(hub, "me/mood") == 1
    hub.cut_uploads = 0
    assert shell("hub", "push", "-y", sound, "me/mood", token=WRITER).returncode == 0
    assert hub.repositories["me/mood"].head[TENSORS] == (sound / TENSORS).read_bytes()


def test_a_commit_that_fails_is_made_by_the_next_push(hub, shell, sound):
    hub.fail_commits = 1
    refused(
        shell("hub", "push", "-y", sound, "me/mood", token=WRITER), "answered with error 503", "try again later"
    )
    assert set(hub.repositories["me/mood"].head) == {".gitattributes"}
    hub.log.clear()
    assert shell("hub", "push", "-y", sound, "me/mood", token=WRITER).returncode == 0
    assert not any(method == "PUT" for method, _ in hub.log)
    assert set(hub.repositories["me/mood"].head) == {".gitattributes", *contents(sound)}


def test_a_card_that_the_hub_refuses(hub, shell, sound):
    hub.bad_card = '"base_model" with value "base" is not valid'
    refused(shell("hub", "push", "-y", sound, "me/mood", token=WRITER), hub.bad_card)
    assert commits_of(hub, "me/mood") == 1


def test_a_download_that_breaks_off_leaves_nothing(hub, shell, sound, tmp_path):
    hub.repository("me/mood", contents(sound))
    hub.cut_downloads = 1
    refused(shell("hub", "pull", "me/mood", "-o", tmp_path / "out" / "mood"), "broke off", "try again")
    assert list((tmp_path / "out").iterdir()) == []
    assert shell("hub", "pull", "me/mood", "-o", tmp_path / "out" / "mood").returncode == 0
    assert contents(tmp_path / "out" / "mood") == contents(sound)


def test_a_folder_that_is_there_is_kept(hub, shell, sound, package, tmp_path):
    hub.repository("me/mood", contents(sound))
    hub.log.clear()
    same = shell("hub", "pull", "me/mood", "-o", package)
    assert (same.returncode, "up to date" in same.stdout) == (0, True)
    assert not any("resolve" in path for _, path in hub.log)
    (package / "README.md").write_text("mine")
    refused(shell("hub", "pull", "me/mood", "-o", package), "exists and is not me/mood at", "--output")
    assert (package / "README.md").read_text() == "mine"
    for name, place in (("other", package), ("gone", tmp_path / "nowhere")):
        (tmp_path / name).symlink_to(place)
        refused(shell("hub", "pull", "me/mood", "-o", tmp_path / name), "exists and is not")
    (tmp_path / "same").symlink_to(sound)
    assert "up to date" in shell("hub", "pull", "me/mood", "-o", tmp_path / "same").stdout


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 0x20])


@pytest.mark.parametrize("name", [TENSORS, "stilts.json", "README.md", SUMS])
def test_a_tampered_repository_is_refused_by_its_own_name(hub, shell, sound, tmp_path, name):
    files = contents(sound)
    hub.repository("me/mood", files | {name: flipped(files[name])})
    done = shell("hub", "pull", "me/mood", "-o", tmp_path / "out" / "mood")
    refused(done, "me/mood at", name)
    assert str(tmp_path) not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_files_that_belong_to_no_package_are_never_fetched(hub, shell, sound, tmp_path):
    more = {"pytorch_model.bin": b"pickle", "run.py": b"import os", "sub/stilts.json": b"{}"}
    hub.repository("me/mood", contents(sound) | more)
    assert shell("hub", "pull", "me/mood", "-o", tmp_path / "out").returncode == 0
    assert contents(tmp_path / "out") == contents(sound)
    fetched = {path.partition("/resolve/")[2].partition("/")[2] for _, path in hub.log if "/resolve/" in path}
    assert fetched == set(contents(sound))


def test_a_repository_without_a_package(hub, shell, tmp_path):
    hub.repository("me/other", {"config.json": b"{}", "model.safetensors": b"12345678"})
    refused(
        shell("hub", "pull", "me/other", "-o", tmp_path / "out"), "this is no adapter package of lowres-stilts"
    )
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written(hub, shell, sound, tmp_path):
    hub.repository("me/mood", contents(sound))
    (tmp_path / "file").write_text("")
    refused(
        shell("hub", "pull", "me/mood", "-o", tmp_path / "file" / "mood"), "file is a file; a folder is wanted"
    )
    refused(shell("hub", "pull", "me/mood", "-o", tmp_path / "file"), "file is a file; a folder is wanted")


def test_two_pulls_to_one_place_do_not_meet(hub, shell, sound, tmp_path):
    hub.repository("me/mood", contents(sound))
    hub.stall = threading.Event()
    cache = shell.environment["LOWRES_STILTS_CACHE"]  # where both hold the place
    variables = hub_environment(hub.endpoint, tmp_path / "home", LOWRES_STILTS_CACHE=cache)
    first = subprocess.Popen(command("hub", "pull", "me/mood"), env=variables, cwd=tmp_path)
    assert hub.stalled.wait(60)
    second = shell("hub", "pull", "me/mood", "-o", tmp_path / "adapters" / "mood")
    refused(second, "is being pulled by another process")
    hub.stall.set()
    assert first.wait(60) == 0
    assert contents(tmp_path / "adapters" / "mood") == contents(sound)


def test_show_and_verify_take_repositories_too(hub, shell, sound):
    hub.repository("me/mood", contents(sound))
    shown = shell("hub", "show", "me/mood", "--json")
    assert json.loads(shown.stdout)["name"] == "small"
    assert not any(TENSORS in path for _, path in hub.log)
    verified = shell("hub", "verify", "me/mood")
    assert (verified.returncode, verified.stdout.startswith("me/mood: sound")) == (0, True)
    hub.repository("me/mood", contents(sound) | {"README.md": b"other"})
    refused(shell("hub", "verify", "me/mood"), "me/mood at", "README.md: changed")
    refused(shell("hub", "show", "me/none"), "no folder me/none here", "no such repository")


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_network(offline, sound, tmp_path):
    more = {"HF_HUB_OFFLINE": "1"} if offline else {}
    said = "HF_HUB_OFFLINE" if offline else "http://127.0.0.1:9 cannot be reached"
    with Shell(hub_environment("http://127.0.0.1:9", tmp_path / "home", **more)) as shell:
        refused(shell("hub", "push", "-y", sound, "me/mood", token=WRITER), said)
        refused(shell("hub", "pull", "me/mood", "-o", tmp_path / "out", token=WRITER), said)
        dry = shell("hub", "push", "-y", sound, "me/mood", "--dry-run", token=WRITER)
    assert dry.returncode == 0
    assert said in dry.stderr
    assert "stilts.json" in dry.stdout
    assert dry.stdout.endswith("dry run: nothing was sent\n")
    assert not (tmp_path / "out").exists()


def killed(hub, home, *arguments):
    """Runs a command until a transfer is half done, then kills it."""
    hub.stall = threading.Event()
    process = subprocess.Popen(command("hub", *arguments), env=hub_environment(hub.endpoint, home, WRITER))
    assert hub.stalled.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    hub.stall.set()
    hub.stall = None


def test_a_push_that_is_killed_leaves_no_commit(hub, shell, sound, tmp_path):
    killed(hub, tmp_path / "home", "push", "-y", sound, "me/mood")
    assert commits_of(hub, "me/mood") == 1
    assert shell("hub", "push", "-y", sound, "me/mood", token=WRITER).returncode == 0
    assert set(hub.repositories["me/mood"].head) == {".gitattributes", *contents(sound)}


def test_a_pull_that_is_killed_leaves_nothing_for_the_next(hub, shell, sound, tmp_path):
    hub.repository("me/mood", contents(sound))
    neighbour = tmp_path / "out" / ".mood.2.abcdefgh.tmp"
    neighbour.mkdir(parents=True)
    killed(hub, tmp_path / "home", "pull", "me/mood", "-o", tmp_path / "out" / "mood")
    assert not (tmp_path / "out" / "mood").exists()
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert shell("hub", "pull", "me/mood", "-o", tmp_path / "out" / "mood").returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [neighbour.name, "mood"]
    assert contents(tmp_path / "out" / "mood") == contents(sound)


def test_scores_that_chance_could_have_are_not_shared_unasked(hub, shell, sound):
    (task,) = open_package(sound).manifest.tasks
    low = f"mood scores {task.dev_score:.1f} on the English dev set, where one answer for all gets 33.3"
    refused(shell("hub", "push", sound, "me/mood", token=WRITER), low, "nothing was sent; add --yes", code=2)
    assert hub.changes() == []
    dry = shell("hub", "push", sound, "me/mood", "--dry-run", token=WRITER)
    assert (dry.returncode, dry.stdout.splitlines()[-1]) == (0, "dry run: nothing was sent")
    assert dry.stderr.startswith(f"warning: {low}")
    assert shell("hub", "push", sound, "me/mood", "--yes", token=WRITER).returncode == 0
    assert shell("hub", "push", sound, "me/mood").returncode == 0  # the same is there already


@pytest.mark.parametrize(("answer", "code", "sent"), [("n", 1, False), ("y", 0, True)])
def test_on_a_terminal_it_is_asked_for(hub, sound, tmp_path, answer, code, sent):
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as typed:
        typed.write(f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "lowres_stilts", "hub", "push", sound, "me/mood"],
            env=hub_environment(hub.endpoint, tmp_path, WRITER),
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
        )
    os.close(theirs)
    assert done.returncode == code, done.stderr
    assert "Share it all the same? [y/N]" in done.stderr
    assert ("me/mood" in hub.repositories) is sent
    assert ("nothing was sent" in done.stderr) is not sent
