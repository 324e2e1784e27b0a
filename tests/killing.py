"""Kills a process before the N-th step by which it changes something.

Files under a folder, and calls that are named.

`started` runs `patang COMMAND …` so in a process of its own; `killed_at` does the same in a fork,
which is faster.
"""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
WHOLE = 77
"""The exit code of one that came to its end before the N-th step."""


def die_at(at, folder, calls=()):
    """Kill this process before its `at`-th step.

    A change below `folder`, or a call of one of `calls` ("module:Class.name").
    """
    count = 0

    def step():
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, arguments):
        if event in CHANGES or (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        ):
            path = arguments[0]
            if isinstance(path, str | Path) and str(path).startswith(str(folder)):
                step()

    for call in calls:
        module, _, name = call.partition(":")
        owner = importlib.import_module(module)
        *outer, name = name.split(".")
        for each in outer:
            owner = getattr(owner, each)
        setattr(owner, name, counted(getattr(owner, name), step))
    sys.addaudithook(hook)


def counted(function, step):
    def call(*arguments, **named):
        step()
        found = function(*arguments, **named)
        step()
        return found

    return call


def started(folder, *words, at=0, calls=()):
    """Start `patang WORDS`, which dies before its `at`-th step, or ends with `WHOLE`."""
    command = [sys.executable, "-m", "tests.killing", str(at), str(folder), *map(str, words)]
    environ = {
        **os.environ,
        "CALLS": ",".join(calls),
        "PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT)]),
    }
    return subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def killed_at(at, folder, work, calls=()):
    """Do `work` in a fork of this process.

    Return False where it came to its end before its `at`-th step.
    """
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nowhere, stream)
            die_at(at, folder, calls)
            work()
            os._exit(WHOLE)
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {WHOLE, -signal.SIGKILL}, f"it ended by itself, with {status}"
    return status != WHOLE


def every_step(folder, prepare, work, check, *, most=400, calls=(), stride=1):
    """Do `work` in a `prepare`d folder, killed before each of its steps in turn, and `check`.

    Return the number of steps.
    """
    for at in range(1, most, stride):
        place = folder / f"at-{at}"
        place.mkdir()
        prepare(place)
        died = killed_at(at, place, lambda place=place: work(place), calls)
        check(place, at)
        if not died:
            return at - 1
    raise AssertionError(f"more than {most} steps")


if __name__ == "__main__":
    from tui.commands.cli import run_command

    die_at(int(sys.argv[1]), sys.argv[2], tuple(filter(None, os.environ["CALLS"].split(","))))
    code = run_command(sys.argv[3:])
    sys.exit(WHOLE if code == 0 else code)
