"""Faults by rule: of which request, update, frame, order or fill, when, how often, and how.

A rule's chance is drawn from the seed and the occasion itself, not from a running generator: the
same occasion at the same virtual time has the same fate, in whatever order requests arrive.
"""

import difflib
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any, final

import msgspec

from brokers.sandbox import kite_times
from compiled.model.values import SECOND
from engine.errors import ConfigError, in_words

REQUEST, SOCKET, UPDATES, TICKS, RISK, ORDERS, FILLS, CLOCK, MARKET, HISTORY = (
    "request",
    "socket",
    "updates",
    "ticks",
    "risk",
    "orders",
    "fills",
    "clock",
    "market",
    "history",
)
MOVE_SECONDS = 60.0
STREAMS = (UPDATES, TICKS)
CALLS = (REQUEST, SOCKET)

KINDS: Mapping[str, tuple[str, ...]] = {
    "delay": (REQUEST, *STREAMS),
    "drop": (REQUEST, *STREAMS),
    "duplicate": (REQUEST, *STREAMS),
    "reorder": STREAMS,
    "behind": (REQUEST,),
    "refuse": CALLS,
    "403": CALLS,
    "429": CALLS,
    "500": CALLS,
    "502": CALLS,
    "503": CALLS,
    "504": CALLS,
    "html": CALLS,
    "cut": (REQUEST,),
    "timeout": (REQUEST,),
    "token": (REQUEST,),
    "silent": (TICKS,),
    "close": (TICKS, UPDATES),
    "poison": (TICKS,),
    "reject": (RISK,),
    "slow": (ORDERS,),
    "partial": (ORDERS,),
    "trade-first": (FILLS,),
    "trade-last": (FILLS,),
    "skew": (CLOCK,),
    "fall": (MARKET,),
    "rise": (MARKET,),
    "correct": (HISTORY,),
    "auction": (HISTORY,),
}
"""Kind → the occasions it can strike; the first is meant where a rule names none."""
SECRETS = ("checksum", "request_token", "refresh_token", "access_token")
"""Fields that every account, or every login, has its own of: no chance is drawn by them."""
ONCE = ("token", "close", "poison")
"""Kinds that strike once where a rule does not say how often."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule, as configured, read from a file, or posted."""

    kind: str
    """One of `KINDS`."""
    on: str = ""
    """A request as "METHOD /path" with * and ?, or one of the other occasions.

    "socket", "updates", "ticks", "risk", "orders", "fills", "clock", "market", "history".
    """
    where: dict[str, str] = msgspec.field(default_factory=dict)
    """Fields of the request's parameters or the order's row, such as {"tradingsymbol": "INFY"}."""
    at: str = ""
    """IST time of day from which it holds; empty: at once."""
    lasts: float = 0.0
    """Virtual seconds it holds; 0: until the day is over."""
    chance: float = 1.0
    """Of striking, each time it could."""
    skip: int = 0
    """Occasions it lets pass first."""
    times: int = 0
    """Strikes after which it is spent; 0: never (`token`, `close` and `poison`: 1)."""
    seconds: float | None = None
    """Length of a delay, a time-out, a skew.

    Wall seconds for answers to requests, virtual ones otherwise.
    """
    share: float = 0.5
    """Part that is struck.

    `partial`: of the quantity that is let in at first; `cut`: of the body that is sent; `fall`,
    `rise`: of every price; `auction`: of a minute's range.
    """
    accept: bool = False
    """The request is carried out before it goes wrong."""
    error_type: str = ""
    message: str = ""
    """`refuse`, `reject` and the statuses: what the answer, or the order, says."""

    @property
    def occasion(self) -> str:
        """Return what it strikes."""
        return (
            self.on
            if self.on in {SOCKET, *STREAMS, RISK, ORDERS, FILLS, CLOCK, MARKET, HISTORY}
            else REQUEST
            if self.on
            else self._usual_occasion
        )

    @property
    def _usual_occasion(self) -> str:
        return KINDS[self.kind][0]

    @property
    def max_strikes(self) -> int:
        """Return after how many strikes it is spent, 0: never."""
        return self.times or (1 if self.kind in ONCE else 0)

    def seconds_or(self, default: float) -> float:
        """Return its seconds, or a default."""
        return default if self.seconds is None else self.seconds

    def check(self) -> "Fault":
        """Return itself; raise `ConfigError` for a rule that makes no sense."""
        if self.kind not in KINDS:
            raise ConfigError(f"fault kind {self.kind!r}: {_suggestion_text(self.kind, KINDS)}")
        if self.occasion not in KINDS[self.kind]:
            raise ConfigError(
                f"fault {self.kind} cannot be on {self.on!r}; it strikes "
                f"{' or '.join(KINDS[self.kind])}"
            )
        if not 0.0 <= self.chance <= 1.0 or not 0.0 <= self.share < 1.0:
            raise ConfigError(f"fault {self.kind}: chance and share are between 0 and 1")
        if min(self.skip, self.times, self.lasts) < 0:
            raise ConfigError(f"fault {self.kind}: skip, times and lasts cannot be negative")
        # A clock may be wrong in both directions; a wait is never negative.
        if self.kind != "skew" and not 0.0 <= self.seconds_or(0.0) <= 86_400.0:
            raise ConfigError(f"fault {self.kind}: seconds are between 0 and 86400")
        if self.at:
            kite_times.time_of_day(self.at)
        return self


def _suggestion_text(given: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(given, list(known), 1)
    return f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"


def read_fault(given: object, source: str) -> Fault:
    """Return a rule from a mapping; raise `ConfigError` naming the source and the key."""
    if isinstance(given, Mapping):
        for key in given:
            if key not in Fault.__struct_fields__:
                raise ConfigError(
                    f"{source}: unknown key {key!r}; "
                    f"{_suggestion_text(str(key), Fault.__struct_fields__)}"
                )
    try:
        return msgspec.convert(given, Fault).check()
    except (msgspec.ValidationError, ConfigError) as error:
        raise ConfigError(f"{source}: {error}") from None


def fault_from_text(text: str) -> Fault:
    """Return a rule from a command line, as `504 on="POST /orders/*" chance=0.1 accept=true`.

    Raise `ConfigError` for any other text.
    """
    try:
        kind, *pairs = shlex.split(text)
    except ValueError:
        raise ConfigError(f"fault {text!r}: expected a kind, then key=value") from None
    fields: dict[str, Any] = {"kind": kind}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"fault {text!r}: expected key=value, not {pair!r}")
        if key.startswith("where."):
            fields.setdefault("where", {})[key[6:]] = value
        else:
            fields[key] = value
    return _read_lenient(fields, f"fault {text!r}")


def _read_lenient(fields: dict[str, Any], source: str) -> Fault:
    try:
        # A command line has texts alone: numbers and truth values are read out of them first.
        typed = msgspec.to_builtins(msgspec.convert(fields, Fault, strict=False))
    except msgspec.ValidationError:
        typed = fields
    return read_fault(typed, source)


def faults_from_file(path: Path) -> list[Fault]:
    """Return the `[[fault]]` tables of a TOML file.

    Raise `ConfigError` naming the file and the key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"faults {path}: {in_words(error)}") from None
    rules = table.pop("fault", [])
    if table or not isinstance(rules, list):
        raise ConfigError(
            f"faults {path}: expected [[fault]] tables only, not {next(iter(table), 'fault')!r}"
        )
    return [read_fault(rule, f"{path}: fault {number}") for number, rule in enumerate(rules, 1)]


@final
class FaultRule:
    """A fault at work: since when (ns UTC), and what it has done."""

    def __init__(self, number: int, fault: Fault, since: int) -> None:
        self.number = number
        self.fault = fault
        self.since = since
        self.until = since + int(fault.lasts * SECOND) if fault.lasts else None
        self.seen = 0
        self.strikes = 0

    def holds(self, now: int) -> bool:
        """Return whether it is in force."""
        spent = self.fault.max_strikes and self.strikes >= self.fault.max_strikes
        return now >= self.since and (self.until is None or now < self.until) and not spent

    def row(self) -> dict[str, object]:
        """Return the rule as the admin route shows it."""
        return {"id": self.number, "strikes": self.strikes, **msgspec.to_builtins(self.fault)}


@final
class FaultRules:
    """Every rule of a sandbox."""

    def __init__(self, seed: int, midnight: int, faults: Iterable[Fault] = ()) -> None:
        self._seed = seed
        self._midnight = midnight
        self._rules: list[FaultRule] = []
        self._made = 0
        self._instant = 0
        # Draws follow from seed, rule and occasion: the same day has the same faults, however fast
        # it runs.
        self._repeats: Counter[str] = Counter()
        for fault in faults:
            self.add(fault, 0)

    def add(self, fault: Fault, now: int) -> FaultRule:
        """Put a rule into force from its time of day, or from `now`."""
        fault.check()
        self._made += 1
        since = self._midnight + kite_times.time_of_day(fault.at) if fault.at else now
        rule = FaultRule(self._made, fault, since)
        self._rules.append(rule)
        return rule

    def remove(self, number: int | None = None) -> int:
        """Take a rule out of force (None: all) and return how many there were."""
        before = len(self._rules)
        self._rules = [rule for rule in self._rules if number is not None and rule.number != number]
        return before - len(self._rules)

    def rows(self) -> list[dict[str, object]]:
        """Return every rule, spent ones too."""
        return [rule.row() for rule in self._rules]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def strike(self, occasion: str, text: str, fields: Mapping[str, Any], now: int) -> Fault | None:
        """Return the first rule that strikes an occasion, named as "POST /orders/regular" is."""
        for rule in self._rules:
            if (
                rule.fault.occasion == occasion
                # Silence is a state and not a strike: `is_silent` is asked for it.
                and rule.fault.kind != "silent"
                and self._rule_strikes(rule, text, fields, now)
            ):
                return rule.fault
        return None

    def _rule_strikes(
        self, rule: FaultRule, text: str, fields: Mapping[str, Any], now: int
    ) -> bool:
        fault = rule.fault
        if not rule.holds(now) or not _matches_fault(fault, text, fields):
            return False
        # Occasions are counted before chance is asked, or `skip` would depend on it.
        rule.seen += 1
        told = sorted((key, value) for key, value in fields.items() if key not in SECRETS)
        if rule.seen <= fault.skip or not self._draw_chance(rule, f"{text}|{told}", now):
            return False
        rule.strikes += 1
        return True

    def _draw_chance(self, rule: FaultRule, what: str, now: int) -> bool:
        if rule.fault.chance >= 1.0:
            return True
        if now != self._instant:
            self._instant = now
            self._repeats.clear()
        key = f"{self._seed}|{rule.number}|{now}|{what}"
        # the same occasion again in one instant is drawn anew
        self._repeats[key] += 1
        drawn = sha256(f"{key}|{self._repeats[key]}".encode()).digest()
        return int.from_bytes(drawn[:8], "big") < rule.fault.chance * 2**64

    def is_silent(self, now: int) -> bool:
        """Return whether nothing leaves on any socket, heartbeats included."""
        return any(rule.fault.kind == "silent" and rule.holds(now) for rule in self._rules)

    def shift(self, now: int) -> float:
        """Return by what part every price is moved by the rules in force.

        Each reaches its full size within its seconds.
        """
        moved = 0.0
        for rule in self._rules:
            if rule.fault.kind in {"fall", "rise"} and rule.holds(now):
                grown = min(
                    1.0, (now - rule.since) / SECOND / max(1.0, rule.fault.seconds_or(MOVE_SECONDS))
                )
                moved += grown * (
                    rule.fault.share if rule.fault.kind == "rise" else -rule.fault.share
                )
        return moved

    def skew(self, now: int) -> int:
        """Return how far the exchange's stamps are off, ns."""
        return sum(
            int(rule.fault.seconds_or(0.0) * SECOND)
            for rule in self._rules
            if rule.fault.kind == "skew" and rule.holds(now)
        )


def _matches_fault(fault: Fault, text: str, fields: Mapping[str, Any]) -> bool:
    if fault.occasion == REQUEST and fault.on:
        # A path without a method means all of them.
        pattern = fault.on if " " in fault.on else f"* {fault.on}"
        if not fnmatchcase(text, pattern):
            return False
    return all(str(fields.get(key)) == value for key, value in fault.where.items())
