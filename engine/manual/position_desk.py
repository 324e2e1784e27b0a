"""Acts on a position by hand: a part leaves, stop and target move, a rung is added, it is reversed.

What is meant by a symbol, a percentage or a rung is worked out here; whether it may be, the kernel
says.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from compiled.model.events import (
    KernelCommand,
    OperatorAct,
    OperatorInstruction,
    PartExit,
    StopMove,
)
from compiled.model.values import SECOND, Product, Side
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import Ladder, Rung
from compiled.trading.risk import RefusalReason
from compiled.trading.strategy import RungAddition
from engine.manual.break_even import break_even
from engine.manual.manual_orders import ManualOrderDesk, refusal_outcome
from engine.operator_requests import (
    AddRungRequest,
    ExitRequest,
    OperatorOutcome,
    PlaceRequest,
    ReverseRequest,
    StopRequest,
    done,
    refused,
)

LEAVES_WITHIN: Final = 60 * SECOND
"""How long a position that is reversed may take to leave before nothing is entered any more."""
FREED: Final = frozenset(
    {
        RefusalReason.POSITIONS,
        RefusalReason.POSITIONS_PER_SYMBOL,
        RefusalReason.EXPOSURE,
        RefusalReason.SYMBOL_EXPOSURE,
        RefusalReason.STRATEGY_BUDGET,
        RefusalReason.FUNDS,
        RefusalReason.GTTS,
    }
)
"""What may refuse an entry while the other side is still held, and frees itself by the exit."""


class HeldRung(NamedTuple):
    """A rung that holds shares, and its ladder."""

    ladder: Ladder
    rung: Rung

    @property
    def name(self) -> str:
        """Return the name it has beside the others of its symbol."""
        return f"{self.ladder.strategy} P{self.rung.number}"


@dataclass(slots=True)
class PendingReversal:
    """A position that leaves, and the order to enter once it is flat; `until` in ns.

    Once `withdrawn` says why, nothing is entered.
    """

    number: int
    token: int
    ticket: PlaceRequest
    until: int
    withdrawn: str = ""


class PositionDesk:
    """Carries acts on positions out, on the engine's event loop."""

    def __init__(self, kernel: Kernel, orders: ManualOrderDesk) -> None:
        self._kernel = kernel
        self._orders = orders
        self._reversals: list[PendingReversal] = []

    # a part leaves

    def leave_part(
        self, now: int, request: ExitRequest
    ) -> tuple[OperatorOutcome, list[KernelCommand]]:
        """Let a part of a position leave, the newest rungs first; the rest stays protected."""
        try:
            held = self._held_rungs(request.symbol, request.rung, request.token)
            parts = self._divide_part(held, request)
        except ValueError as error:
            return refused(str(error)), []
        symbol = held[0].ladder.instrument.symbol
        # All are checked before the first leaves: what is refused has sold nothing.
        for each, quantity in parts:
            acts = self._kernel.position_acts
            if fault := acts.part_fault(each.ladder, each.rung, quantity):
                return refused(f"{each.name} of {symbol}: {fault}"), []
        commands: list[KernelCommand] = []
        for each, quantity in parts:
            commands += self._kernel.handle(PartExit(now, each.rung.rung_id, quantity))
        left = sum(quantity for _, quantity in parts)
        total = sum(int(each.rung.quantity) for each in held)
        names = ", ".join(
            each.name if quantity == each.rung.quantity else f"{quantity} of {each.name}"
            for each, quantity in parts
        )
        kept = f"; the stop of the other {total - left} stays" if total > left else ""
        return done(f"leaving {left} of {total} {symbol} ({names}){kept}"), commands

    def _divide_part(
        self, held: list[HeldRung], request: ExitRequest
    ) -> list[tuple[HeldRung, int]]:
        """Return how many shares of which rung leave; raise `ValueError` where they cannot."""
        symbol = held[0].ladder.instrument.symbol
        if request.quantity and request.part:
            raise ValueError("shares or a percentage: one of them")
        if len({each.ladder.side for each in held}) > 1:
            raise ValueError(f"{symbol} is held long and short: name a rung")
        free = [each for each in held if not each.rung.leaving and each.rung.exit is None]
        there = sum(int(each.rung.present) for each in free)
        lot = int(held[0].ladder.instrument.lot)
        wanted = request.quantity
        if request.part:
            # Down to whole lots: a percentage must not leave more than was asked for.
            wanted = int(there * request.part / 100.0 + 1e-9) // lot * lot
            if wanted < 1:
                raise ValueError(f"{request.part:g} % of {there} {symbol} is less than {lot}")
        wanted = wanted or there
        if not there or wanted > there:
            raise ValueError(
                f"{wanted} {symbol} cannot leave: {there} are held"
                if there
                else f"{symbol} is leaving already"
            )
        parts: list[tuple[HeldRung, int]] = []
        # The newest first: it has come at the dearest price, and the oldest carries the gain.
        for each in reversed(free):
            quantity = min(int(each.rung.present), wanted)
            wanted -= quantity
            if quantity:
                parts.append((each, quantity))
        return parts

    # stop and target

    def move_stop(
        self, now: int, request: StopRequest
    ) -> tuple[OperatorOutcome, list[KernelCommand]]:
        """Move the stop, the target or both of one rung or of all; all of them or none."""
        commands: list[KernelCommand] = []
        try:
            held = self._held_rungs(request.symbol, request.rung)
            moves = [(each, self._stop_price(each, request)) for each in held]
        except ValueError as error:
            return refused(str(error)), []
        acts = self._kernel.position_acts
        # All are checked before the first is moved: half a ladder at another stop helps nobody.
        for each, stop in moves:
            if fault := acts.stop_fault(each.ladder, each.rung, stop, request.target):
                return refused(f"{each.name} of {request.symbol}: {fault}"), []
        for each, stop in moves:
            commands += self._kernel.handle(StopMove(now, each.rung.rung_id, stop, request.target))
        return done(_moved_text(request, moves)), commands

    def _stop_price(self, held: HeldRung, request: StopRequest) -> float:
        """Return where the stop of a rung is to stand, 0.0 to leave it; raise `ValueError`."""
        ways = sum(map(bool, (request.price, request.percent, request.break_even)))
        if ways > 1:
            raise ValueError("a price, a percentage or the break-even: one of them")
        if not ways and request.target < 0.0:
            raise ValueError("say where the stop or the target goes")
        ladder = held.ladder
        if request.percent:
            last = self._kernel.state.markets[int(ladder.instrument.token)].last
            away = 1.0 - float(ladder.sign) * request.percent / 100.0
            return ladder.instrument.snap(last * away, -ladder.sign)
        if request.break_even:
            even = break_even(self._kernel, ladder, held.rung)
            if even <= 0.0:
                raise ValueError(
                    f"{held.name} of {request.symbol} has no break-even: what has left of it "
                    "outweighs all that stays"
                )
            return even
        return request.price

    # a rung more

    def add_rung(
        self, now: int, request: AddRungRequest
    ) -> tuple[OperatorOutcome, list[KernelCommand], RungAddition | None]:
        """Enter one more rung of an open ladder at the market; its verdict comes with the books."""
        try:
            held = self._held_rungs(request.symbol, request.rung)
        except ValueError as error:
            return refused(str(error)), [], None
        ladders = {int(each.ladder.ladder_id): each.ladder for each in held}
        if len(ladders) > 1:
            names = ", ".join(f"{each.name} ({each.rung.rung_id})" for each in held)
            text = (
                f"{request.symbol} is held by {len(ladders)} ladders: name a rung of one: {names}"
            )
            return refused(text), [], None
        ladder = held[0].ladder
        if ladder.plan.cover:
            return refused("a cover order has one rung"), [], None
        event = RungAddition(now, ladder.ladder_id, request.quantity, request.stop)
        commands = self._kernel.handle(event)
        order = event.order
        if order is None:
            market = self._kernel.state.markets[int(ladder.instrument.token)]
            return refusal_outcome(event.verdict, market, event.detail), commands, None
        # The kernel has taken it: the newest rung is the one that was asked for.
        added = ladder.rungs[-1]
        stop = f"stop {added.plan.stop_percent:g} %" if added.plan.stop_percent else "no stop"
        text = (
            f"order {order.intent}: {order.side.name} {order.quantity} {request.symbol} MARKET, "
            f"{ladder.strategy} P{added.number}, {stop}"
        )
        return done(text), commands, event

    # the other side

    def reverse(
        self, now: int, number: int, request: ReverseRequest
    ) -> tuple[OperatorOutcome | None, list[KernelCommand]]:
        """Leave everything in a symbol; the other side is entered once it is flat."""
        try:
            token, ticket = self._opposite_ticket(request)
        except ValueError as error:
            return refused(str(error)), []
        # Each would enter by itself, and the other side would be twice as large as was held.
        if any(each.token == token and not each.withdrawn for each in self._reversals):
            return refused(f"{request.symbol} is being reversed already"), []
        # Before anything leaves: a position that cannot be turned is not to be lost on the way.
        verdict, outcome = self._orders.entry_reason(ticket)
        if verdict is not RefusalReason.OK and verdict not in FREED:
            return outcome, []
        act = OperatorInstruction(now, OperatorAct.EXIT, token=token, reason="reversed")
        commands = self._kernel.handle(act)
        # Kept here and not in the kernel: it only waits, and the order it becomes is judged anew.
        self._reversals.append(PendingReversal(number, token, ticket, now + LEAVES_WITHIN))
        return None, commands

    def withdraw_reversals(self, token: int) -> None:
        """Let nothing be entered for an instrument that is left by hand: the last word counts."""
        for each in self._reversals:
            if each.token == token:
                each.withdrawn = "everything was left by hand"

    def due_reversals(self, now: int) -> tuple[list[PendingReversal], dict[int, OperatorOutcome]]:
        """Return the reversals that are flat by now, and the outcomes of those that are given up.

        A restart forgets them: an entry never comes out of the past.
        """
        if not self._reversals:
            return [], {}
        flat, given_up, waiting = list[PendingReversal](), dict[int, OperatorOutcome](), []
        for each in self._reversals:
            # A halt counts though it is lifted before the position has left.
            if self._kernel.state.halted:
                each.withdrawn = each.withdrawn or "the desk was halted meanwhile"
            if each.withdrawn:
                given_up[each.number] = refused(
                    f"{each.ticket.symbol}: {each.withdrawn}, its other side is not entered"
                )
            elif not self._kernel.state.markets[each.token].ladders:
                flat.append(each)
            elif now >= each.until:
                given_up[each.number] = refused(
                    f"{each.ticket.symbol} has not left within {LEAVES_WITHIN // SECOND} s: "
                    "nothing is entered; it goes on leaving"
                )
            else:
                waiting.append(each)
        self._reversals = waiting
        return flat, given_up

    def _opposite_ticket(self, request: ReverseRequest) -> tuple[int, PlaceRequest]:
        held = self._held_rungs(request.symbol, "")
        products = {each.ladder.plan.product for each in held}
        sides = {each.ladder.side for each in held}
        symbol, newest = request.symbol, held[-1]
        if len(sides) > 1 or len(products) > 1:
            raise ValueError(f"{symbol} is held long and short, or in several products")
        product = products.pop()
        if product not in {Product.MIS, Product.NRML}:
            raise ValueError(
                f"{symbol} is held for delivery ({product.name}), which cannot be sold short: "
                "only MIS and NRML are reversed"
            )
        long = newest.ladder.side is Side.BUY
        stop = request.stop if request.stop >= 0.0 else newest.rung.plan.stop_percent
        return int(newest.ladder.instrument.token), PlaceRequest(
            symbol=symbol,
            side="SELL" if long else "BUY",
            quantity=request.quantity or sum(int(each.rung.quantity) for each in held),
            stop=stop,
            product="MIS" if product is Product.MIS else "NRML",
            trail=newest.ladder.plan.trail,
        )

    # what is meant

    def _held_rungs(self, symbol: str, rung: str, token: int = 0) -> list[HeldRung]:
        """Return the rungs of a symbol that hold shares, oldest first, or the one that is named.

        Named by its number or, as the panes do, by its place: P2. Raise `ValueError` for none.
        """
        found = [
            HeldRung(ladder, each)
            for ladder in self._kernel.state.ladders.values()
            if int(ladder.instrument.token) == token or ladder.instrument.symbol == symbol
            for each in ladder.rungs
            if each.quantity > 0
        ]
        if not found:
            raise ValueError(f"{symbol} is not held")
        if not rung:
            return found
        named = [each for each in found if rung in {str(each.rung.rung_id), f"P{each.rung.number}"}]
        if len(named) != 1:
            names = ", ".join(f"{each.rung.rung_id} ({each.name})" for each in found)
            raise ValueError(f"{symbol} has no one rung {rung}: there are {names}")
        return named


def _moved_text(request: StopRequest, moves: list[tuple[HeldRung, float]]) -> str:
    """Return what has been asked of the broker, and how the stop goes on."""
    prices = sorted({stop for _, stop in moves if stop > 0.0})
    words = []
    if prices:
        places = f"{prices[0]:.2f}" + (f" to {prices[-1]:.2f}" if len(prices) > 1 else "")
        trails = {each.ladder.plan.trail for each, _ in moves}
        follows = "trails on from there at that distance" if trails == {True} else "stays there"
        if len(trails) > 1:
            follows = "trails on from there where its ladder trails"
        words.append(f"stop to {places}; it {follows}")
    if request.target >= 0.0:
        words.append(f"target to {request.target:.2f}" if request.target else "no target")
    count = f"{len(moves)} rungs of " if len(moves) > 1 else f"{moves[0][0].name} of "
    return f"moving {count}{request.symbol}: {', '.join(words)}"
