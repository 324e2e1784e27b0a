"""Price alerts: a line and a bell when a price is reached, once, whether or not a screen is there.

They are kept in the journal, as a whole after each change, and so outlive the desk.
"""

import json
from typing import Final, final

from msgspec import DecodeError, ValidationError, convert, structs, to_builtins

from compiled.trading.desk_state import InstrumentState
from compiled.trading.kernel import Kernel
from engine.board.event_log import EventLog
from engine.board_rows import AlertRow
from engine.board_writer import BoardWriter
from engine.errors import DataError
from engine.market.calendar import ist_day
from engine.numbers import price
from engine.operator_requests import AlertRequest, OperatorOutcome, done, refused
from engine.ports import Clock, Journal

KEY: Final = "alerts"
"""What they are called in `meta`."""
MOST: Final = 500
"""Alerts there can be: each is looked at with every message of the feed."""


class KeptAlert(AlertRequest, frozen=True, kw_only=True, tag="kept"):
    """An alert with its number, and when it was set and fired (ns UTC; 0: not yet)."""

    number: int
    made: int
    fired: int = 0
    at: float = 0.0
    """The price it fired at, in rupees."""


@final
class PriceAlerts:
    """Looks at the prices after each message of the feed, on the engine's event loop."""

    def __init__(
        self, kernel: Kernel, writer: BoardWriter, *, journal: Journal, clock: Clock, log: EventLog
    ) -> None:
        self._kernel = kernel
        self._writer = writer
        self._journal = journal
        self._clock = clock
        self._log = log
        self._alerts = {each.number: each for each in self._load_kept()}
        self._armed: list[tuple[KeptAlert, InstrumentState]] = []
        self.resolve()

    def __len__(self) -> int:
        return len(self._alerts)

    def _load_kept(self) -> list[KeptAlert]:
        """Return what was kept; what has fired on another day is over."""
        rows = self._journal.load("meta", "key = ?", (KEY,))
        try:
            found = (
                [convert(each, KeptAlert) for each in json.loads(str(rows[0]["value"]))]
                if rows
                else []
            )
        except (ValueError, ValidationError, DecodeError, TypeError):
            raise DataError(f"the journal's row {KEY} of meta cannot be read") from None
        today = ist_day(self._clock.now())
        return [each for each in found if not each.fired or ist_day(each.fired) == today]

    def resolve(self) -> None:
        """Find the instruments of all that has not fired, and show the list.

        What is not under watch waits until it is.
        """
        markets = {
            market.instrument.symbol: market for market in self._kernel.state.markets.values()
        }
        self._armed = [
            (each, markets[each.symbol])
            for each in self._alerts.values()
            if not each.fired and each.symbol in markets
        ]
        board = self._writer.board
        for each in self._alerts.values():
            row = AlertRow(
                each.number,
                each.symbol,
                each.way,
                each.level,
                each.made,
                fired=each.fired,
                at=each.at,
                waits=each.symbol not in markets,
            )
            self._writer.put(board.alerts, each.number, row)
        self._writer.keep(board.alerts, set(self._alerts))

    def add(self, wanted: AlertRequest) -> OperatorOutcome:
        """Set an alert; one whose price is reached already would mean nothing, and is refused."""
        if len(self._alerts) >= MOST:
            return refused(f"there are {MOST} alerts already: remove some first")
        markets = self._kernel.state.markets.values()
        market = next((each for each in markets if each.instrument.symbol == wanted.symbol), None)
        if market is None:
            return refused(f"{wanted.symbol} is not under watch: add it first")
        # A level of 1496.6000000000001 would not be reached by the price that it is shown as.
        wanted = structs.replace(wanted, level=round(wanted.level, 4))
        if wanted.way != "change" and wanted.level <= 0.0:
            return refused("an alert needs a price above 0")
        if not wanted.level:
            return refused("an alert needs a change of more than nothing")
        if wanted.way == "change" and not market.instrument.close:
            return refused(f"{wanted.symbol} has no previous close that a change could count from")
        if is_reached(wanted, market):
            return refused(
                f"{wanted.symbol} is {condition_text(wanted)} already: {standing(market)}"
            )
        # Counted on from the highest there is: a number in somebody's terminal means one alert.
        number = max(self._alerts, default=0) + 1
        alert = KeptAlert(**structs.asdict(wanted), number=number, made=self._clock.now())
        self._alerts[number] = alert
        self._keep_alerts()
        return done(f"alert {number}: {wanted.symbol} {condition_text(wanted)}")

    def drop(self, number: int) -> OperatorOutcome:
        """Remove an alert."""
        alert = self._alerts.pop(number, None)
        if alert is None:
            return refused(f"there is no alert {number}")
        self._keep_alerts()
        return done(f"alert {number} removed: {alert.symbol} {condition_text(alert)}")

    def watches(self, symbol: str) -> bool:
        """Return whether an alert waits for a symbol."""
        return any(not each.fired and each.symbol == symbol for each in self._alerts.values())

    def look(self) -> None:
        """Fire what has been reached, once."""
        # Only what is armed: on a day without alerts this costs an empty loop a turn.
        reached = [each for each in self._armed if is_reached(*each)]
        if not reached:
            return
        for alert, market in reached:
            fired = structs.replace(alert, fired=self._clock.now(), at=market.ltp)
            self._alerts[alert.number] = fired
            note = f" ({alert.note})" if alert.note else ""
            text = f"{alert.symbol} is {condition_text(alert)}: {standing(market)}{note}"
            self._log.add_event("alert", "price_alert", text)
        self._keep_alerts()

    def _keep_alerts(self) -> None:
        rows = [to_builtins(each) for each in self._alerts.values()]
        self._journal.append("meta", {"key": KEY, "value": json.dumps(rows)})
        self.resolve()


def is_reached(alert: AlertRequest, market: InstrumentState) -> bool:
    """Return whether an instrument's price is where an alert waits for it."""
    last = market.ltp
    # A price of the day before, or of a lost feed, is no news.
    if last <= 0.0 or market.untraded or not market.live:
        return False
    if alert.way == "above":
        return last >= alert.level
    if alert.way == "below":
        return last <= alert.level
    # Of a share on its first day there is none, and nothing to count from.
    close = market.instrument.close
    moved = (last / close - 1.0) * 100.0 if close > 0.0 else 0.0
    return moved >= alert.level if alert.level > 0.0 else moved <= alert.level


def condition_text(alert: AlertRequest) -> str:
    """Return what an alert waits for, in words."""
    if alert.way == "change":
        return f"{'up' if alert.level > 0.0 else 'down'} {abs(alert.level):g} % or more"
    return f"at {price(alert.level)} or {alert.way}"


def standing(market: InstrumentState) -> str:
    """Return where a price stands, in words."""
    return f"last {price(market.ltp)}"
