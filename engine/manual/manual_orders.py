"""Orders by hand: the operator's form, its preview with costs, and its outcome."""

from compiled.accounting.charges import order_charges, rates_key
from compiled.model.events import KernelCommand, PlaceOrder
from compiled.model.order_terms import OrderChange, OrderTerms, Variety
from compiled.model.values import Order, OrderPurpose, Product, Side, Validity, paise
from compiled.trading.desk_state import InstrumentState
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import EntryPlan, LadderPlan, entry_plan, single_rung_plan
from compiled.trading.risk import RefusalReason
from compiled.trading.risk_gate import entry_verdict
from compiled.trading.strategy import OPERATOR, ManualRequest, StrategyRequest
from engine.manual.margin import OrderPreview
from engine.manual.reasons import reason_meaning
from engine.market.calendar import ist_day
from engine.market.charges import charge_doubt, depository_fee
from engine.operator_requests import (
    ModifyRequest,
    OperatorOutcome,
    OrderTicket,
    done,
    refused,
)
from engine.orders.order_texts import ORDER_TYPES

VARIETIES = {
    "regular": Variety.REGULAR,
    "amo": Variety.AMO,
    "co": Variety.COVER,
    "iceberg": Variety.ICEBERG,
}
DIGITS = 18
"""Of our own numbers, at most."""


class ManualOrderDesk:
    """Carries tickets out on the engine's event loop."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def preview_order(self, ticket: OrderTicket) -> OrderPreview | OperatorOutcome:
        """Return what an order would be, what it is worth and costs, or why it would be refused."""
        try:
            market, request = self._entry_request(ticket)
        except ValueError as error:
            return refused(str(error))
        plan = request.plan
        assert plan is not None
        verdict, outcome = self._draft_verdict(market, request, plan)
        if verdict is not RefusalReason.OK:
            return outcome
        return self._make_preview(ticket, market, plan.entry)

    def entry_reason(self, ticket: OrderTicket) -> tuple[RefusalReason, OperatorOutcome]:
        """Return the verdict on an order before it is sent, and its words; raise `ValueError`."""
        market, request = self._entry_request(ticket)
        assert request.plan is not None
        return self._draft_verdict(market, request, request.plan)

    def _draft_verdict(
        self, market: InstrumentState, request: StrategyRequest, plan: LadderPlan
    ) -> tuple[RefusalReason, OperatorOutcome]:
        ladder = self._kernel.order_entry.draft_ladder(OPERATOR, request, plan)
        # The same check the kernel makes, on a draft: a preview cannot promise what the order path
        # refuses.
        verdict = entry_verdict(self._kernel.view, market, ladder, ladder.rungs[0])
        if verdict is RefusalReason.OK:
            return verdict, done()
        figures = self._kernel.order_entry.refusal_figures(market, ladder, verdict)
        return verdict, refusal_outcome(verdict, market, figures)

    def place_order(
        self, now: int, ticket: OrderTicket
    ) -> tuple[OperatorOutcome, list[KernelCommand]]:
        """Ask the kernel for an order; return the answer and what the kernel wants done."""
        try:
            market, request = self._entry_request(ticket)
        except ValueError as error:
            return refused(str(error)), []
        # By the kernel and not straight to the gateway: sizing, limits and protection hold for
        # orders by hand, too.
        wish = ManualRequest(now, request)
        commands = self._kernel.handle(wish)
        placed = [command.order for command in commands if isinstance(command, PlaceOrder)]
        if wish.verdict is not RefusalReason.OK or not placed:
            plan = request.plan
            assert plan is not None
            ladder = self._kernel.order_entry.draft_ladder(OPERATOR, request, plan)
            return refusal_outcome(
                wish.verdict,
                market,
                self._kernel.order_entry.refusal_figures(market, ladder, wish.verdict),
            ), commands
        entry = request.plan.entry if request.plan is not None else None
        assert entry is not None
        return done(f"order {placed[0].intent}: {describe_ticket(ticket, entry)}"), commands

    def alter_order(
        self, now: int, wanted: ModifyRequest
    ) -> tuple[OperatorOutcome, list[KernelCommand]]:
        """Ask the kernel for a change of an order of ours."""
        try:
            order = self.find_order(wanted.order)
        except ValueError as error:
            return refused(str(error)), []
        if not (wanted.quantity or wanted.price or wanted.trigger):
            return refused("say what to change: a quantity, a price or a trigger"), []
        change = OrderChange(wanted.quantity, wanted.price, wanted.trigger)
        wish = ManualRequest(
            now,
            StrategyRequest(
                order.token, order.side, plan=None, reason="", order=order, change=change
            ),
        )
        commands = self._kernel.handle(wish)
        if wish.verdict is not RefusalReason.OK:
            return refusal_outcome(wish.verdict, self._kernel.state.markets[order.token]), commands
        return done(f"changing order {order.intent}"), commands

    def find_order(self, name: str) -> Order:
        """Return an order of ours by our number or the broker's; raise `ValueError`."""
        out = self._kernel.order_store
        # `isdecimal` alone takes digits of other scripts, and `int` thousands of them.
        number = int(name) if name.isascii() and name.isdecimal() and len(name) <= DIGITS else 0
        order = out.by_order_id.get(name) or out.orders.get(number)
        if order is None:
            raise ValueError(f"no order of ours is called {name}")
        if not order.live:
            raise ValueError(f"order {name} is over: {order.status.name}")
        return order

    def find_token(self, token: int, symbol: str) -> int:
        """Return the token of a watched instrument that is named by it or by its symbol, else 0."""
        markets = self._kernel.state.markets
        if token:
            return token
        return next(
            (int(each.token) for each in markets.values() if each.instrument.symbol == symbol), 0
        )

    def _entry_request(self, ticket: OrderTicket) -> tuple[InstrumentState, StrategyRequest]:
        markets = [
            each
            for each in self._kernel.state.markets.values()
            if each.instrument.symbol == ticket.symbol
        ]
        if not markets:
            raise ValueError(f"{ticket.symbol} is not watched by this desk")
        plan = single_rung_plan(
            ticket.quantity,
            ticket.stop,
            target_percent=ticket.target,
            product=Product[ticket.product],
            trail=ticket.trail,
            entry=_ticket_entry(ticket),
        )
        return (
            markets[0],
            StrategyRequest(markets[0].token, Side[ticket.side], plan, "by hand"),
        )

    def _make_preview(
        self, ticket: OrderTicket, market: InstrumentState, entry: EntryPlan
    ) -> OrderPreview:
        """Reckon value and charges at the order's own price, else at the last."""
        value, product = (
            # A market order has no price of its own.
            paise(ticket.price or market.last, ticket.quantity),
            Product[ticket.product],
        )
        rates = self._kernel.state.rates[rates_key(market.token, product)]
        own, back = (
            int(order_charges(rates, side, ticket.quantity, value))
            for side in (Side[ticket.side], _other_side(ticket.side))
        )
        order = Order(
            0,
            "",
            strategy=OPERATOR,
            token=market.token,
            side=Side[ticket.side],
            quantity=ticket.quantity,
            order_type=entry.order_type,
            product=product,
            purpose=OrderPurpose.ENTRY,
            price=entry.price,
            trigger=entry.trigger,
            terms=entry.terms,
        )
        return OrderPreview(
            describe_ticket(ticket, entry),
            order,
            value=int(value),
            charges=own,
            back=back,
            # What is bought for delivery is sold once, and what is sold leaves today.
            depository=depository_fee(ist_day(self._kernel.order_store.now))
            if product is Product.CNC
            else 0,
            rests_on=charge_doubt(market.instrument),
        )


def _ticket_entry(ticket: OrderTicket) -> EntryPlan:
    terms = OrderTerms(
        VARIETIES[ticket.variety], ticket.minutes, ticket.legs, ticket.disclosed, ticket.slices
    )
    validity = Validity[ticket.validity]
    return entry_plan(ticket.price, ticket.trigger, validity, ticket.protection, terms)


def describe_ticket(ticket: OrderTicket, entry: EntryPlan) -> str:
    """Return an order in one line."""
    words = [ticket.side, str(ticket.quantity), ticket.symbol, ORDER_TYPES[entry.order_type]]
    words += [f"at {ticket.price:.2f}"] if ticket.price else []
    words += [f"trigger {ticket.trigger:.2f}"] if ticket.trigger else []
    words += [
        ticket.validity + (f" {ticket.minutes} min" if ticket.minutes else ""),
        ticket.product,
    ]
    words += [] if ticket.variety == "regular" else [ticket.variety]
    words += [f"{ticket.legs} legs"] if ticket.legs else []
    words += [f"{ticket.disclosed} disclosed"] if ticket.disclosed else []
    words += ["sliced"] if ticket.slices else []
    stop = f"stop {ticket.stop:g} %" if ticket.stop else "bare: no stop"
    target = f", target {ticket.target:g} %" if ticket.target else ""
    return f"{' '.join(words)}, {stop}{target}"


def refusal_outcome(
    reason: RefusalReason, market: InstrumentState, figures: str = ""
) -> OperatorOutcome:
    """Return a refusal with its code, what that means, and the figure that met a limit."""
    silent = reason is RefusalReason.STALE_DATA and market.ltp <= 0.0
    words = (
        f"{market.instrument.symbol} has no price yet; try again when it ticks"
        if silent
        else reason_meaning(reason.name)
    )
    return refused(f"{reason.name}: {words}" + (f": {figures}" if figures and not silent else ""))


def _other_side(side: str) -> Side:
    return Side.SELL if side == "BUY" else Side.BUY
