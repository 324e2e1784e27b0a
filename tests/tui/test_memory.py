"""A machine that is short of something: one line, what mends it, a documented code."""

import errno
import resource

import pytest

from engine.errors import in_words
from tests.desk.support import Patang
from tui.commands import memory_check

SMALL = 300_000_000


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("run", "--no-ui"), 2, "300 MB of address space, 1500 are needed"),
        (("export", "trades"), 2, "1500 are needed"),
        ((), 2, "1500 are needed"),
        (("status",), 3, "no desk is running"),
        (("kill",), 0, ""),
    ],
)
def test_a_small_address_space_is_told_beforehand_and_keeps_nobody_from_stopping_a_desk(
    words, code, says, tmp_path, monkeypatch
):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (SMALL, SMALL))
    done = Patang(tmp_path).call(*words)
    assert done.returncode == code
    assert says in done.stderr
    assert done.stderr.count("\n") == bool(says)


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (RuntimeError("can't start new thread"), True),
        (ImportError("no module"), False),
        (ImportError("x.so: failed to map segment from shared object"), True),
    ],
)
def test_want_of_memory_is_known_under_what_was_made_of_it(error, is_it):
    assert memory_check.is_memory_error(error) is is_it
    outer = ImportError("Cannot import module")
    outer.__cause__ = error
    assert memory_check.is_memory_error(outer) is is_it


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, ": free some space"),
        (errno.EMFILE, ": raise ulimit -n"),
        (errno.EISDIR, "is a directory"),
    ],
)
def test_a_refusal_of_the_machine_comes_with_its_mend(number, mend):
    error = OSError(number, "Is a directory" if number == errno.EISDIR else "No")
    assert in_words(error).endswith(mend)
