import pytest

from lowres_stilts import display
from lowres_stilts.display import Display


def test_off_a_terminal_only_the_end_is_a_line_on_standard_error(capsys):
    with Display().work("training") as advance:
        advance(1, 3)
        advance(2, 3, "loss 0.5")
        assert capsys.readouterr().err == ""
        advance(3, 3, "loss 0.4")
    assert capsys.readouterr() == ("", "training 3/3 loss 0.4\n")


def test_off_a_terminal_long_work_says_from_time_to_time_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(display, "SECONDS_BETWEEN_LINES", -1.0)
    with Display().work("training") as advance:
        advance(1, 3)
        advance(2, 3)
    assert capsys.readouterr().err == "training 1/3\ntraining 2/3\n"


@pytest.mark.parametrize("text", ["[red]brackets[/red] stay", "word " * 100, "/a/path:3: 100%"])
def test_a_line_is_neither_wrapped_nor_coloured_nor_read_as_markup(text, capsys):
    Display().line(text)
    assert capsys.readouterr() == ("", f"{text}\n")


def test_on_a_terminal_there_is_a_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Display().work("training") as advance:
        advance(1, 3, "loss 0.5")
        advance(3, 3, "loss 0.4")
    shown = capsys.readouterr()
    assert shown.out == ""
    for part in ("training", "3/3", "loss 0.4"):
        assert part in shown.err


@pytest.mark.parametrize(("terminal", "said"), [(True, "asking the Hub\n"), (False, "")])
def test_who_waits_at_a_terminal_is_told_for_what(terminal, said, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    display.tell_waiting("asking the Hub")
    assert capsys.readouterr() == ("", said)
