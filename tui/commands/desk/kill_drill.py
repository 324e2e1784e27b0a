"""`patang drill`: every way to stop a trading desk, measured in the exchange's own books.

Each exercise is a desk of its own on an exchange of its own, at real pace, with positions open and
entries at work. One way halts it, another presses flatten. All lines of the result are what the
exchange saw.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from brokers.sandbox.api import admin_key
from brokers.sandbox.api.admin_routes import FAULTS
from compiled.model.values import Side
from compiled.trading.ladder import LadderPlan, RungPlan
from compiled.trading.strategy import Context, Strategy
from engine.config.schema import DeskConfig
from engine.errors import OperatorError
from engine.exit_codes import DONE, FAILED
from engine.operator_requests import KillRequest, LimitRequest
from engine.ops.control_socket import send_request, socket_path
from engine.orders.killswitch import KillLatch
from store.database_integrity import open_for_reading
from tui.run.forced_ending import ForcedEnding
from tui.run.launch import handling_signals, latching_on_signal
from tui.run.session import DeskSession, RunPlan
from tui.run.wiring import open_desk

LIVE: Final = frozenset(
    {"OPEN", "TRIGGER PENDING", "PUT ORDER REQ RECEIVED", "OPEN PENDING", "VALIDATION PENDING"}
)
POSITIONS, RESTING = 3, 3
READY_S, HALT_S, FLAT_S = 40.0, 20.0, 45.0
HALT_MS, FLAT_MS = 5_000.0, 30_000.0
"""The promise; the wait for a slow or busy broker comes on top."""
LEFT_OPEN: Final = {
    "kind": "slow",
    "on": "orders",
    "where": {"transaction_type": "BUY", "quantity": "1"},
    "seconds": 3_600,
}
"""Single shares are not matched, so that there are entries at work."""
LINGER_S = 1.5
"""How long the desk is watched after it has halted: an entry that slips through comes at once."""
LOOK_S = 0.02


class DrillExercise(NamedTuple):
    """One way to stop, under one trouble; `allowance` (ms) is what that may add."""

    trigger: str
    fault: str = ""
    rule: Mapping[str, object] | None = None
    allowance: float = 0.0


EXERCISES: Final = (
    DrillExercise("door"),
    DrillExercise("signal"),
    DrillExercise("file"),
    DrillExercise("limit"),
    DrillExercise(
        "door", "slow broker", {"kind": "delay", "on": "* /orders/*", "seconds": 1.0}, 15_000.0
    ),
    DrillExercise(
        "door", "busy broker", {"kind": "429", "on": "POST /orders/*", "chance": 0.5}, 15_000.0
    ),
)


class DrillResult(NamedTuple):
    """Measurements of one exercise at the exchange, in ms, -1.0 where it never came to that."""

    trigger: str
    fault: str
    time_to_halt_ms: float
    time_to_flat_ms: float
    entries_after_latch: int
    open_positions: int
    naked_positions: int
    broken: str
    """The promises that were not kept, empty if all were."""


class DrillStrategy(Strategy):
    """Strategy that buys a few shares, then never stops wanting more.

    Single shares, whose orders the exchange leaves open.
    """

    def __init__(self) -> None:
        super().__init__("drill", 60, every=1)

    def on_timer(self, ctx: Context, ts: int) -> None:
        """Ask for one more thing a second on whatever is free."""
        del ts
        # a stock with a ladder has its entry at work already
        free = [
            token for token in ctx.instruments if ctx.ltp(token) > 0.0 and not ctx.ladders(token)
        ]
        if not free:
            return
        if sum(1 for token in ctx.instruments if ctx.position(token)) < POSITIONS:
            ctx.enter(free[0], Side.BUY, 0, 2.0, quantity=5, reason="drill")
            return
        for token in free[:2]:
            # one share, which the exchange leaves open, and no time limit: it must be the switch
            # that cancels it
            plan = LadderPlan([RungPlan(0.0, 2.0)], 0, quantity=1, entry_seconds=0)
            ctx.ladder(token, Side.BUY, plan, "drill")


@dataclass(slots=True)
class ExchangeBooks:
    """The exchange's books at one moment."""

    orders: list[dict[str, object]]
    held: dict[str, int]
    guarded: dict[str, int]
    """Shares per symbol that a live GTT would sell."""

    @property
    def working_entries(self) -> list[dict[str, object]]:
        """Return the buying orders that are still at work."""
        return [
            row for row in self.orders if row["transaction_type"] == "BUY" and row["status"] in LIVE
        ]

    @property
    def naked_positions(self) -> int:
        """Return how many positions have less protection than shares."""
        leaving: dict[str, int] = {}
        for row in self.orders:
            if row["transaction_type"] == "SELL" and row["status"] in LIVE:
                symbol = str(row["tradingsymbol"])
                leaving[symbol] = leaving.get(symbol, 0) + int(str(row["pending_quantity"]))
        return sum(
            1
            for symbol, shares in self.held.items()
            if shares > self.guarded.get(symbol, 0) + leaving.get(symbol, 0)
        )


@dataclass(slots=True)
class LatchWatch:
    """Watch of the desk's latching, by the clock of its own requests."""

    station: DeskSession
    latched: list[int] = field(default_factory=list)

    def note_latch(self, latch: KillLatch | None) -> None:
        """Note the first latch."""
        if latch is not None and not self.latched:
            self.latched.append(self.station.desk.ports.clock.now())


def run_drill(runs: int, *, as_json: bool) -> int:
    """Run every exercise `runs` times and print them; return 1 if a promise was broken."""
    # each run on another market
    results = [_run_exercise(each, seed) for seed in range(7, 7 + runs) for each in EXERCISES]
    worst = {
        "time_to_halt_ms": max(result.time_to_halt_ms for result in results),
        "time_to_flat_ms": max(result.time_to_flat_ms for result in results),
        "entries_after_latch": sum(result.entries_after_latch for result in results),
        "open_positions": sum(result.open_positions for result in results),
        "naked_positions": sum(result.naked_positions for result in results),
    }
    kept = not any(result.broken for result in results)
    if as_json:
        told = worst | {"kept": kept, "exercises": [result._asdict() for result in results]}
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        sys.stdout.write("".join(f"{name:<20}  {value:g}\n" for name, value in worst.items()))
        sys.stdout.write("every promise was kept\n" if kept else "a promise was BROKEN\n")
    return DONE if kept else FAILED


def _run_exercise(exercise: DrillExercise, seed: int) -> DrillResult:
    with tempfile.TemporaryDirectory(prefix="patang-drill-") as folder:
        station = DeskSession(
            _drill_config(Path(folder)), RunPlan(seed=seed, speed=1.0, start="11:00")
        )
        station.strategies = [DrillStrategy()]
        watch = LatchWatch(station)
        # by the desk's own clock, by which its requests are dated
        station.kill.listeners.append(watch.note_latch)
        desk, ending = open_desk(station), ForcedEnding(station)
        try:
            # before the strategy asks for anything
            admin_key.call_admin(station.endpoint.rest, "POST", FAULTS, [LEFT_OPEN])
            with (
                latching_on_signal(station),
                handling_signals(station, ending, desk.stop, _abort_drill),
            ):
                result = _measure_exercise(exercise, station, watch)
        finally:
            station.close()
            ending.cancel_timer()
        # after the end: the journal is whole then
        late = _late_entries(station.database, watch.latched[0] if watch.latched else 0)
    result = result._replace(entries_after_latch=late)
    result = result._replace(broken=", ".join(_broken_promises(exercise, result)))
    words = result.broken or "kept"
    sys.stderr.write(
        f"{' with a '.join(filter(None, (result.trigger, result.fault)))}: halted in "
        f"{result.time_to_halt_ms:.0f} ms, "
        f"flat in {result.time_to_flat_ms:.0f} ms: {words}\n"
    )
    return result


def _abort_drill() -> None:
    """Break the drill off where it is."""
    raise KeyboardInterrupt


def _drill_config(folder: Path) -> DeskConfig:
    values = {
        "desk": {"state_dir": str(folder)},
        # no limit but the one that is tried may stop it
        "risk": {"max_exposure": 10_000_000, "max_order_value": 1_000_000},
        "store": {"bars": False},
        # what the exchange knows has to be seen soon enough to be measured
        "gateway": {"poll_s": 1.0},
    }
    return msgspec.convert(values, DeskConfig)


def _measure_exercise(
    exercise: DrillExercise, station: DeskSession, watch: LatchWatch
) -> DrillResult:
    rest = station.endpoint.rest
    _wait_until(
        READY_S,
        lambda: _entries_working(station, rest),
        "the desk holds positions and has entries at work",
    )
    if exercise.rule is not None:
        admin_key.call_admin(rest, "POST", FAULTS, [exercise.rule])
    began = time.monotonic()
    _TRIGGERS[exercise.trigger](station)
    halted = _wait_until(
        HALT_S, lambda: bool(watch.latched) and not _read_books(rest).working_entries, ""
    )
    halt_ms = (time.monotonic() - began) * 1e3 if halted else -1.0
    # an entry under way when it was latched may fill a moment later, and is covered a moment after
    # that
    naked = _lingering_naked(rest)
    began = time.monotonic()
    send_request(socket_path(station.state), KillRequest(flatten=True, reason="drill", who="drill"))
    flat = _wait_until(FLAT_S, lambda: not _read_books(rest).held, "")
    flat_ms = (time.monotonic() - began) * 1e3 if flat else -1.0
    books = _read_books(rest)
    return DrillResult(
        exercise.trigger,
        exercise.fault,
        time_to_halt_ms=round(halt_ms, 1),
        time_to_flat_ms=round(flat_ms, 1),
        entries_after_latch=0,
        open_positions=len(books.held),
        naked_positions=max(naked, books.naked_positions),
        broken="",
    )


def _entries_working(station: DeskSession, rest: str) -> bool:
    books = _read_books(rest)
    return (
        station.board.header.naked == 0
        and len(books.held) >= POSITIONS
        and len(books.working_entries) >= RESTING
    )


def _lingering_naked(rest: str) -> int:
    """Watch the halted desk a little; return its fewest unprotected positions.

    One look is no proof.
    """
    # the fewest: protection that moves is away for an instant
    end, fewest = time.monotonic() + LINGER_S, 1_000_000
    while time.monotonic() < end:
        fewest = min(fewest, _read_books(rest).naked_positions)
        time.sleep(LOOK_S)
    return fewest


def _late_entries(database: Path, latched: int) -> int:
    """Return how many entries left after the latch, by the journal, and reached the exchange."""
    query = """
        SELECT COUNT(*) FROM intents JOIN order_events USING (intent)
        WHERE purpose = 'ENTRY' AND kind = 'order' AND order_events.status = 'SENT' AND ts > ?
    """
    with open_for_reading(database) as db:
        return int(db.execute(query, (latched,)).fetchone()[0]) if latched else 0


def _broken_promises(exercise: DrillExercise, result: DrillResult) -> list[str]:
    """Name the promises that were not kept."""
    slowest_halt, slowest_flat = HALT_MS + exercise.allowance, FLAT_MS + exercise.allowance
    found = {
        f"not halted within {slowest_halt:.0f} ms": not 0 <= result.time_to_halt_ms <= slowest_halt,
        f"not flat within {slowest_flat:.0f} ms": not 0 <= result.time_to_flat_ms <= slowest_flat,
        "entries left after the latch": result.entries_after_latch > 0,
        "positions are open": result.open_positions > 0,
        "positions are naked": result.naked_positions > 0,
    }
    return [words for words, broken in found.items() if broken]


# the ways to stop


def _kill_by_door(station: DeskSession) -> None:
    send_request(socket_path(station.state), KillRequest(reason="drill", who="drill"))


def _kill_by_signal(station: DeskSession) -> None:
    del station
    os.kill(os.getpid(), signal.SIGUSR1)


def _kill_by_file(station: DeskSession) -> None:
    station.kill.path.write_text("drill", encoding="utf-8")


def _kill_by_limit(station: DeskSession) -> None:
    """Leave a loss of one rupee: the charges alone are more."""
    station.desk.submit(LimitRequest("max_daily_loss", 1, "drill", "drill"))


_TRIGGERS: Final[dict[str, Callable[[DeskSession], None]]] = {
    "door": _kill_by_door,
    "signal": _kill_by_signal,
    "file": _kill_by_file,
    "limit": _kill_by_limit,
}


# the exchange's books


def _read_books(rest: str) -> ExchangeBooks:
    found = admin_key.call_admin(rest, "GET", "/sandbox/books")
    guarded: dict[str, int] = {}
    for trigger in found["gtts"]:
        if trigger["status"] == "active":
            symbol = trigger["condition"]["tradingsymbol"]
            guarded[symbol] = guarded.get(symbol, 0) + int(trigger["orders"][0]["quantity"])
    held = {
        row["tradingsymbol"]: int(row["quantity"]) for row in found["positions"] if row["quantity"]
    }
    return ExchangeBooks(found["orders"], held, guarded)


def _wait_until(seconds: float, holds: Callable[[], bool], what: str) -> bool:
    """Look until something holds; where it never does, raise `OperatorError` if it has a name."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(LOOK_S)
    if what:
        raise OperatorError(f"the drill could not begin within {seconds:.0f} s: {what}")
    return False
