"""`patang drill`: stop a trading desk every way there is, and measure in the exchange's own books how well it stopped.

Each exercise is a desk of its own on an exchange of its own, at real pace, with positions open and entries at work. One
way halts it, another presses flatten. All lines of the result are what the exchange saw.
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

from brokers.sandbox import key
from brokers.sandbox.admin import FAULTS
from compiled.ladder import LadderPlan, RungPlan
from compiled.model import Side
from compiled.strategy import Context, Strategy
from engine.config import Config
from engine.errors import OperatorError
from engine.ops.control import ask, socket_path
from engine.trading.killswitch import Latch
from engine.trading.limits import Change
from store.whole import reading
from tui.ending import Ending
from tui.launch import heeding, signals
from tui.station import Run, Station

DONE, BROKEN = 0, 1
LIVE: Final = frozenset({"OPEN", "TRIGGER PENDING", "PUT ORDER REQ RECEIVED", "OPEN PENDING", "VALIDATION PENDING"})
POSITIONS, RESTING = 3, 3
READY_S, HALT_S, FLAT_S = 40.0, 20.0, 45.0
HALT_MS, FLAT_MS = 5_000.0, 30_000.0
"""What is promised; a broker that is slow or busy is waited for in addition."""
LEFT_OPEN: Final = {
    "kind": "slow", "on": "orders", "where": {"transaction_type": "BUY", "quantity": "1"}, "seconds": 3_600,
}  # fmt: skip
"""Single shares are not matched, so that there are entries at work."""
LINGER_S = 1.5
"""How long the desk is watched after it has halted: an entry that slips through comes at once."""
LOOK_S = 0.02


class Exercise(NamedTuple):
    """One way to stop, and what goes wrong meanwhile; `allowance` (ms) is what that may add."""

    trigger: str
    fault: str = ""
    rule: Mapping[str, object] | None = None
    allowance: float = 0.0


EXERCISES: Final = (
    Exercise("door"),
    Exercise("signal"),
    Exercise("file"),
    Exercise("limit"),
    Exercise("door", "slow broker", {"kind": "delay", "on": "* /orders/*", "seconds": 1.0}, 15_000.0),
    Exercise("door", "busy broker", {"kind": "429", "on": "POST /orders/*", "chance": 0.5}, 15_000.0),
)


class Result(NamedTuple):
    """What the exchange saw of one exercise; times in milliseconds, -1.0 where it never came to that."""

    trigger: str
    fault: str
    time_to_halt_ms: float
    time_to_flat_ms: float
    entries_after_latch: int
    open_positions: int
    naked_positions: int
    broken: str
    """The promises that were not kept, empty if all were."""


class Drilled(Strategy):
    """Buys a few shares, then never stops wanting more: single shares, whose orders the exchange leaves open."""

    def __init__(self) -> None:
        super().__init__("drill", 60, every=1)

    def on_timer(self, ctx: Context, ts: int) -> None:
        """Ask for one more thing a second on whatever is free."""
        del ts
        free = [token for token in ctx.instruments if ctx.ltp(token) > 0.0 and not ctx.ladders(token)]
        if not free:
            return
        if sum(1 for token in ctx.instruments if ctx.position(token)) < POSITIONS:
            ctx.enter(free[0], Side.BUY, 0, 2.0, quantity=5, reason="drill")
            return
        for token in free[:2]:
            plan = LadderPlan([RungPlan(0.0, 2.0)], 0, quantity=1, entry_seconds=0)
            ctx.ladder(token, Side.BUY, plan, "drill")


@dataclass(slots=True)
class Books:
    """The exchange's books at one moment."""

    orders: list[dict[str, object]]
    held: dict[str, int]
    guarded: dict[str, int]
    """Shares per symbol that a live GTT would sell."""

    @property
    def entries(self) -> list[dict[str, object]]:
        """Return the buying orders that are still at work."""
        return [row for row in self.orders if row["transaction_type"] == "BUY" and row["status"] in LIVE]

    @property
    def naked(self) -> int:
        """Return how many positions have less protection than shares."""
        leaving: dict[str, int] = {}
        for row in self.orders:
            if row["transaction_type"] == "SELL" and row["status"] in LIVE:
                symbol = str(row["tradingsymbol"])
                leaving[symbol] = leaving.get(symbol, 0) + int(str(row["pending_quantity"]))
        return sum(
            1 for symbol, shares in self.held.items() if shares > self.guarded.get(symbol, 0) + leaving.get(symbol, 0)
        )


@dataclass(slots=True)
class Watch:
    """When the desk latched, by the clock of its own requests."""

    station: Station
    latched: list[int] = field(default_factory=list)

    def heard(self, latch: Latch | None) -> None:
        """Note the first latch."""
        if latch is not None and not self.latched:
            self.latched.append(self.station.desk.ports.clock.now())


def drill(runs: int, *, as_json: bool) -> int:
    """Run every exercise `runs` times; print what was measured, and return 1 if a promise was broken."""
    results = [_exercise(each, seed) for seed in range(7, 7 + runs) for each in EXERCISES]
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
    return DONE if kept else BROKEN


def _exercise(exercise: Exercise, seed: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="patang-drill-") as folder:
        station = Station(_config(Path(folder)), Run(seed=seed, speed=1.0, start="11:00"))
        station.strategies = [Drilled()]
        watch = Watch(station)
        station.kill.listeners.append(watch.heard)
        desk, ending = station.open(), Ending(station)
        try:
            key.ask(station.endpoint.rest, "POST", FAULTS, [LEFT_OPEN])
            with heeding(station), signals(station, ending, desk.stop, _leave):
                result = _measure(exercise, station, watch)
        finally:
            station.close()
            ending.over()
        late = _late(station.database, watch.latched[0] if watch.latched else 0)
    result = result._replace(entries_after_latch=late)
    result = result._replace(broken=", ".join(_broken(exercise, result)))
    words = result.broken or "kept"
    sys.stderr.write(
        f"{' with a '.join(filter(None, (result.trigger, result.fault)))}: halted in {result.time_to_halt_ms:.0f} ms, "
        f"flat in {result.time_to_flat_ms:.0f} ms: {words}\n"
    )
    return result


def _leave() -> None:
    """Break the drill off where it is."""
    raise KeyboardInterrupt


def _config(folder: Path) -> Config:
    values = {
        "desk": {"state_dir": str(folder)},
        "risk": {"max_exposure": 10_000_000, "max_order_value": 1_000_000},
        "store": {"bars": False},
        "gateway": {"poll_s": 1.0},
    }
    return msgspec.convert(values, Config)


def _measure(exercise: Exercise, station: Station, watch: Watch) -> Result:
    rest = station.endpoint.rest
    _until(READY_S, lambda: _at_work(station, rest), "the desk holds positions and has entries at work")
    if exercise.rule is not None:
        key.ask(rest, "POST", FAULTS, [exercise.rule])
    began = time.monotonic()
    _TRIGGERS[exercise.trigger](station)
    halted = _until(HALT_S, lambda: bool(watch.latched) and not _books(rest).entries, "")
    halt_ms = (time.monotonic() - began) * 1e3 if halted else -1.0
    naked = _lingering(rest)
    began = time.monotonic()
    ask(socket_path(station.state), {"cmd": "kill", "flatten": True, "reason": "drill", "who": "drill"})
    flat = _until(FLAT_S, lambda: not _books(rest).held, "")
    flat_ms = (time.monotonic() - began) * 1e3 if flat else -1.0
    books = _books(rest)
    return Result(exercise.trigger, exercise.fault, round(halt_ms, 1), round(flat_ms, 1), 0, len(books.held),
                  max(naked, books.naked), "")  # fmt: skip


def _at_work(station: Station, rest: str) -> bool:
    books = _books(rest)
    return station.board.header.naked == 0 and len(books.held) >= POSITIONS and len(books.entries) >= RESTING


def _lingering(rest: str) -> int:
    """Watch the halted desk a little; return the fewest positions without protection, for one look is no proof."""
    end, fewest = time.monotonic() + LINGER_S, 1_000_000
    while time.monotonic() < end:
        fewest = min(fewest, _books(rest).naked)
        time.sleep(LOOK_S)
    return fewest


def _late(database: Path, latched: int) -> int:
    """Return how many entries left after the latch, by the journal, and stand in the exchange's books."""
    query = """
        SELECT COUNT(*) FROM intents JOIN order_events USING (intent)
        WHERE purpose = 'ENTRY' AND kind = 'order' AND order_events.status = 'SENT' AND ts > ?
    """
    with reading(database) as db:
        return int(db.execute(query, (latched,)).fetchone()[0]) if latched else 0


def _broken(exercise: Exercise, result: Result) -> list[str]:
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


def _by_door(station: Station) -> None:
    ask(socket_path(station.state), {"cmd": "kill", "reason": "drill", "who": "drill"})


def _by_signal(station: Station) -> None:
    del station
    os.kill(os.getpid(), signal.SIGUSR1)


def _by_file(station: Station) -> None:
    station.kill.path.write_text("drill", encoding="utf-8")


def _by_limit(station: Station) -> None:
    """Leave a loss of one rupee: the charges alone are more."""
    station.desk.set_limit(Change("max_daily_loss", 1, "drill", "drill"), confirmed=False)


_TRIGGERS: Final[dict[str, Callable[[Station], None]]] = {
    "door": _by_door, "signal": _by_signal, "file": _by_file, "limit": _by_limit,
}  # fmt: skip


# the exchange's books


def _books(rest: str) -> Books:
    found = key.ask(rest, "GET", "/sandbox/books")
    guarded: dict[str, int] = {}
    for trigger in found["gtts"]:
        if trigger["status"] == "active":
            symbol = trigger["condition"]["tradingsymbol"]
            guarded[symbol] = guarded.get(symbol, 0) + int(trigger["orders"][0]["quantity"])
    held = {row["tradingsymbol"]: int(row["quantity"]) for row in found["positions"] if row["quantity"]}
    return Books(found["orders"], held, guarded)


def _until(seconds: float, holds: Callable[[], bool], what: str) -> bool:
    """Look until something holds; where it never does, raise `OperatorError` if it has a name."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(LOOK_S)
    if what:
        raise OperatorError(f"the drill could not begin within {seconds:.0f} s: {what}")
    return False
