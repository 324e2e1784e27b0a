"""Processes of this user, each distinguished by its start from a later one of its number."""

import contextlib
import os
import signal
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class UserProcess(NamedTuple):
    """A process: its number, and its start as the kernel has it ("TICKS-BOOT")."""

    pid: int
    start: str

    @property
    def is_alive(self) -> bool:
        """Return whether this very process still runs, as this user's."""
        return _is_own_process(self.pid) and process_start(self.pid) == self.start

    @property
    def heeds_kill(self) -> bool:
        """Return whether it catches SIGUSR1; one that does not would die of it."""
        caught = int(_process_status(self.pid).get("SigCgt", "0"), 16)
        return bool(caught >> (signal.SIGUSR1 - 1) & 1)

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to this very process.

        Return False, and send nothing, where it has ended or is not ours. The number is pinned
        before it is looked at, so that no other process can get the signal. Raises `OSError`.
        """
        try:
            pinned = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if not self.is_alive:
                return False
            signal.pidfd_send_signal(pinned, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(pinned)
        return True


def this_process() -> UserProcess:
    """Return the process that asks."""
    return UserProcess(os.getpid(), process_start(os.getpid()))


def process_start(pid: int) -> str:
    """Return when a process started, empty for one that has ended.

    It is ticks since the machine's start, and that start.
    """
    with contextlib.suppress(OSError, IndexError):
        # A process may have any name, brackets and blanks included: the fields are counted behind
        # the last bracket.
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        # A zombie has ended for our purposes: it holds no lock and heeds no signal.
        if fields[0] not in {b"Z", b"X"}:
            return (
                f"{fields[19].decode()}-{(PROC / 'sys/kernel/random/boot_id').read_text().strip()}"
            )
    return ""


def _is_own_process(pid: int) -> bool:
    return _process_status(pid).get("Uid", "-").split()[0] == str(os.getuid())


def _process_status(pid: int) -> dict[str, str]:
    try:
        lines = (PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
