"""The operator's acts on a position: a part of it leaves, its stop and target are moved.

Each is checked here, by the same rules for whoever asks; what then follows is the protection's.
"""

from typing import final

from mypy_extensions import i64

from compiled.model.events import PartExit, StopMove
from compiled.model.exchange_rules import is_in_lots, is_inside_band
from compiled.model.number_bounds import PRICE
from compiled.trading.desk_state import DeskState
from compiled.trading.ladder import Ladder, Rung, hang_stop
from compiled.trading.ladder_book import LadderBook
from compiled.trading.order_store import OrderStore


@final
class PositionActs:
    """Carries out what a person does to a rung that is held."""

    def __init__(self, state: DeskState, out: OrderStore, ladder_book: LadderBook) -> None:
        self.state = state
        self.order_store = out
        self.ladder_book = ladder_book

    def leave_part(self, event: PartExit) -> None:
        """Let shares of a rung leave at the market; all of them leave as the whole does."""
        rung = self.state.rungs.get(int(event.rung))
        ladder = self._ladder_of(rung)
        if rung is None or ladder is None:
            event.fault = "it is flat already"
            return
        event.fault = self.part_fault(ladder, rung, event.quantity)
        if event.fault:
            return
        # As a whole exit it is repeated until it has left; a part goes once.
        if event.quantity == rung.present:
            self.ladder_book.leave_rung(rung, "operator")
        else:
            rung.part = event.quantity
        self.state.changed_rungs[rung.rung_id] = rung
        self.ladder_book.tend_ladder(ladder)

    def move_stop(self, event: StopMove) -> None:
        """Put stop and target of a rung elsewhere.

        The stop trails on from there at its new distance, where its ladder trails.
        """
        rung = self.state.rungs.get(int(event.rung))
        ladder = self._ladder_of(rung)
        if rung is None or ladder is None:
            event.fault = "it is flat already"
            return
        event.fault = self.stop_fault(ladder, rung, event.stop, event.target)
        if event.fault:
            return
        if event.target >= 0.0:
            rung.target = event.target
        if event.stop > 0.0:
            hang_stop(ladder, rung, event.stop)
            rung.hand_stop = event.stop
        self.state.changed_rungs[rung.rung_id] = rung
        self.state.changed_ladders[ladder.ladder_id] = ladder
        self.ladder_book.tend_ladder(ladder)

    def _ladder_of(self, rung: Rung | None) -> Ladder | None:
        return None if rung is None else self.state.ladders.get(int(rung.ladder_id))

    def part_fault(self, ladder: Ladder, rung: Rung, quantity: i64) -> str:
        """Return why so many shares of a rung cannot leave now, or ""."""
        fault = _held_fault(rung)
        if fault:
            return fault
        if rung.part > 0 or rung.part_exit is not None:
            return "a part of it is leaving already"
        if not 0 < quantity <= rung.present:
            return f"{quantity} cannot leave: it holds {rung.present}"
        if not is_in_lots(ladder.instrument, quantity):
            return f"{quantity} is no multiple of the lot of {ladder.instrument.lot}"
        if ladder.plan.cover and quantity < rung.present:
            return "the shares of a cover order leave together"
        if quantity < rung.present and not ladder.instrument.hours.takes_exits(
            self.order_store.now
        ):
            return "nothing can leave before the next session"
        return ""

    def stop_fault(self, ladder: Ladder, rung: Rung, stop: float, target: float) -> str:
        """Return why stop and target (rupees) of a rung cannot stand there, or ""."""
        fault = _held_fault(rung)
        if fault:
            return fault
        if self.order_store.limit_only:
            return "this broker takes LIMIT orders only: no stop can stand there"
        # The stop is being made smaller, and a second change would cross with the first.
        if rung.part > 0 or rung.part_exit is not None:
            return "a part of it is leaving: once that is done"
        if stop <= 0.0 and rung.stop <= 0.0 and rung.hand_stop <= 0.0:
            return "it has no stop: a target stands beside one"
        last = self.state.markets[int(ladder.instrument.token)].last
        if last <= 0.0:
            return "it has no price yet"
        if stop > 0.0:
            fault = self._level_fault(ladder, "stop", stop, last)
        if not fault and target > 0.0:
            fault = self._level_fault(ladder, "target", target, last)
        return fault

    def _level_fault(self, ladder: Ladder, name: str, price: float, last: float) -> str:
        instrument = ladder.instrument
        # Written so that a NaN fails it.
        if not 0.0 < price <= PRICE or not instrument.on_grid(price):
            return f"{name}: ₹{price:.4f} is no multiple of ₹{instrument.tick:g}"
        away = float(ladder.sign) * ((last - price) if name == "stop" else (price - last))
        if away <= 0.0:
            below = (ladder.sign > 0) == (name == "stop")
            side = "below" if below else "above"
            return f"{name}: ₹{price:.2f} is not {side} the last price of ₹{last:.2f}"
        if not ladder.plan.resting:
            distance = self.order_store.trigger_distance
            if distance.is_too_near(away, last):
                least = distance.least(last)
                return f"{name}: a GTT stands more than ₹{least:.3f} from the last ₹{last:.2f}"
        # A GTT may wait for a day whose band reaches it, an order may not.
        elif not is_inside_band(instrument, price):
            band = f"₹{instrument.lower:.2f} to ₹{instrument.upper:.2f}"
            return f"{name}: ₹{price:.2f} is outside the day's band, {band}"
        return ""


def _held_fault(rung: Rung) -> str:
    """Return why nothing can be done with a rung by hand, or ""."""
    if rung.quantity <= 0:
        return "it is flat already"
    if rung.leaving or rung.exit is not None:
        return "it is leaving already"
    if rung.present <= 0:
        return "the broker's books do not hold its shares"
    return ""
