"""Ctrl-C in commands that go on where they stopped."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer

INTERRUPTED = 130
SECONDS_BEFORE_AGAIN = 0.05


@contextmanager
def interruptible() -> Iterator[None]:
    """Ends an interrupted command with one line and exit code 130.

    Python drops an interrupt that comes while compiled code calls back, such as a comparison in tokenizers; such a
    one is sent again.
    """
    hook = sys.unraisablehook

    def again(args: "sys.UnraisableHookArgs") -> None:
        if issubclass(args.exc_type, KeyboardInterrupt):
            interrupt = (threading.main_thread().ident, signal.SIGINT)
            timer = threading.Timer(SECONDS_BEFORE_AGAIN, signal.pthread_kill, interrupt)
            timer.daemon = True
            timer.start()
        else:
            hook(args)

    sys.unraisablehook = again
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("stopped; go on with --resume", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        sys.unraisablehook = hook
