"""Readings of the machine and of the desk's threads, for the pulses of the engine."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.board_rows import GOOD


class PulseReading(NamedTuple):
    """One look at one thing that can be wrong.

    What is wrong for less than `patience_s` (of the machine) is in need of attention only.
    """

    name: str
    figure: str
    state: str = GOOD
    mend: str = ""
    patience_s: float = 0.0


class MachineReading(NamedTuple):
    """The machine's state by its watchdog: bytes and counts, 0 where the system does not say."""

    free: int = -1
    """On the disk of the desk's folder, where 0 is a full one; -1: not known."""
    memory: int = 0
    threads: int = 0
    descriptors: int = 0
    most_descriptors: int = 0
    findings: tuple[str, ...] = ()
    """Names of what the watchdog has found and that still stands."""
    moved: int = 0
    """By how much the machine's clock has moved since the desk began, ns; ahead counts positive."""


@dataclass(slots=True)
class HealthSources:
    """Readings of other threads; every field is replaced whole, so that no reader takes a lock."""

    steady: Callable[[], int] = time.monotonic_ns
    """The clock of the beats, ns."""
    machine: MachineReading = field(default_factory=MachineReading)
    beats: dict[str, int] = field(default_factory=dict)
    """Thread → monotonic ns of its last turn."""
    gauges: list[Callable[[], PulseReading]] = field(default_factory=list)
    """Asked in the engine's thread once a second: they must not wait for anything."""
    session_ends: Callable[[], int] = lambda: 0
    """Returns when the session with the broker ends (ns UTC), 0 for never."""
    disk_mb: int = 0
    memory_mb: int = 0
    clock_s: float = 0.0
    """Bounds of the watchdog, 0: none."""
