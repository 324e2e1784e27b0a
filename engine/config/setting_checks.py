"""Contradictions between settings; the bounds of each are in `engine/config/schema.py`."""

import ipaddress
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from engine.config import addresses
from engine.config.strategy_parameters import StrategyParameters
from engine.config.toml_reader import Key
from engine.market.calendar import Calendar

if TYPE_CHECKING:
    from engine.config.schema import DeskConfig


def contradictions(config: "DeskConfig") -> Iterator[tuple[Key, str]]:
    """Yield (key, complaint) for each value that is fine alone, but not beside the others."""
    yield from _broker_contradictions(config)
    if config.sandbox.date and not _is_date(config.sandbox.date):
        yield ("sandbox", "date"), f"there is no {config.sandbox.date}"
    yield from _market_contradictions(config)
    yield from _mode_contradictions(config)
    yield from _archive_contradictions(config)
    spans = config.feed.spans_s
    if list(spans) != sorted(set(spans)) or any(span % spans[0] for span in spans):
        yield ("feed", "spans_s"), "expected ascending lengths, each a multiple of the first"
    # An entry may use what the reserve leaves.
    if config.governor.reserve_per_second >= config.governor.orders_per_second:
        yield (
            ("governor", "reserve_per_second"),
            "expected less than orders_per_second, or no entry could ever pass",
        )
    # Every order between the two would be refused for its exposure.
    if config.risk.max_order_value > config.risk.max_exposure:
        yield ("risk", "max_order_value"), "expected at most max_exposure"
    for name, table in config.strategy.items():
        yield from _strategy_contradictions(name, table, spans)


def _strategy_contradictions(
    name: str, table: StrategyParameters | dict[str, Any], spans: tuple[int, ...]
) -> Iterator[tuple[Key, str]]:
    """Check a strategy's parameters beside each other, and that there are bars of its length."""
    own = table if isinstance(table, dict) else msgspec.structs.asdict(table)
    if isinstance(table, StrategyParameters):
        for key, complaint in table.contradictions():
            yield ("strategy", name, *key), complaint
    # A strategy whose bars nobody builds would be silently deaf.
    if own.get("enabled", True) and own.get("timeframe_s", spans[0]) not in spans:
        built = ", ".join(map(str, spans))
        yield ("strategy", name, "timeframe_s"), f"expected one of feed.spans_s: {built}"


def _mode_contradictions(config: "DeskConfig") -> Iterator[tuple[Key, str]]:
    """Check that no instrument is asked for in two modes.

    No strategy may trade an instrument that is only watched.
    """
    feed = config.feed
    # A strategy that names nothing trades all of `watch`.
    traded = set(feed.watch)
    for table in config.strategy.values():
        if isinstance(table, StrategyParameters):
            traded.update(table.symbols)
    for field, others in (("quote", traded), ("ltp", traded | set(feed.quote))):
        for place, symbol in enumerate(getattr(feed, field)):
            if symbol in others:
                yield (
                    ("feed", field, place),
                    (
                        f"{symbol} is named elsewhere: what is traded or in feed.watch is not only "
                        f"watched"
                    ),
                )


def _market_contradictions(config: "DeskConfig") -> Iterator[tuple[Key, str]]:
    """Check that a token stays encrypted, and that hours begin on each confirmed day.

    A slip of the pen would confirm nothing.
    """
    upstox = addresses.parse_address(config.market.upstox)
    if upstox is not None and not upstox.is_covered:
        yield ("market", "upstox"), "the token would travel in the clear; expected https://"
    # The table is read only for whoever confirms something.
    known = sorted(map(str, Calendar.load().changes)) if config.market.confirmed else []
    for place, day in enumerate(config.market.confirmed):
        if day not in known:
            yield (
                ("market", "confirmed", place),
                f"no hours begin on {day}; the last changes were {', '.join(known[-2:])}",
            )


def _archive_contradictions(config: "DeskConfig") -> Iterator[tuple[Key, str]]:
    """Check that archives stay encrypted, and that recordings last until they are archived."""
    place = addresses.parse_address(config.archive.endpoint)
    if place is not None and not place.is_covered:
        yield ("archive", "endpoint"), "bars would travel in the clear; expected https://"
    if (
        config.archive.bucket
        and config.feed.record
        and config.archive.recording_days >= config.feed.record_days
    ):
        kept = f"recordings are removed after feed.record_days = {config.feed.record_days}"
        yield ("archive", "recording_days"), f"{kept}: expected fewer, or they never get there"


def _broker_contradictions(config: "DeskConfig") -> Iterator[tuple[Key, str]]:
    broker = config.broker
    # A file is copied, shown and committed; a token in it is a key to the account for the day.
    if broker.is_real and broker.access_token:
        yield (
            ("broker", "access_token"),
            "a real token never stands in a file; name its variable in access_token_env",
        )
    if not broker.is_real and config.desk.mode == "live":
        yield ("desk", "mode"), f'live needs broker.name of a real broker, got "{broker.name}"'
    # Orders of one exchange by prices of another would be the result.
    if bool(broker.rest) != bool(broker.ws):
        yield (
            ("broker", "ws" if broker.rest else "rest"),
            "rest and ws belong together: give both, or neither",
        )
    for field, scheme in (("rest", "https"), ("ws", "wss")):
        place = addresses.parse_address(getattr(broker, field))
        # Nothing that stays on the machine has to be encrypted.
        if place is None or place.is_local:
            continue
        if not broker.is_real:
            where = (
                "a sandbox is on this machine (127.0.0.1, localhost, [::1]); a broker elsewhere "
                'is real: set broker.name to its name, as "kite"'
            )
            yield ("broker", field), where
        elif not place.is_covered:
            yield ("broker", field), f"the token would travel in the clear; expected {scheme}://"
    # -1 is Kite's own value for its automatic protection; 0 would mean none, which it refuses.
    if -1.0 < broker.market_protection <= 0.0:
        yield (
            ("broker", "market_protection"),
            "expected a percentage above 0, or -1 for the broker's bands",
        )
    for field in ("static_ip", "bind_ip"):
        if getattr(broker, field) and not _is_address(getattr(broker, field)):
            yield ("broker", field), f"{getattr(broker, field)} is no IP address"
    for field in ("api_key", "access_token"):
        if getattr(broker, field) and getattr(broker, f"{field}_env"):
            yield ("broker", f"{field}_env"), f"give this or {field}, not both"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
