"""The strategy author's interface.

Subclass `Strategy`, read the `Context`, ask for positions, changes and exits. Every order is the
entry of a position, and every position says where its stop is; `BARE` says that it has none.
"""

from enum import IntEnum
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from compiled.indicators.price import Indicator
from compiled.model.int_map import IntMap
from compiled.model.order_terms import PLAIN, OrderChange, OrderTerms
from compiled.model.values import (
    SECOND,
    Bar,
    Instrument,
    Order,
    Product,
    Side,
    Tick,
    Validity,
    day_start,
)
from compiled.trading.ladder import Ladder, LadderPlan, RungPlan, entry_plan, single_rung_plan
from compiled.trading.order_states import is_working
from compiled.trading.risk import RefusalReason

BARE: Final = 0.0
"""A stop of none: nothing protects the position."""
OPERATOR: Final = "operator"
"""Whose the positions are that the operator enters by hand."""


def unknown_token(strategy: str, token: i64) -> LookupError:
    """Return the error of a strategy that asks for an instrument it does not trade."""
    mend = "name its symbol in strategy." + strategy + ".symbols"
    return LookupError("token " + str(token) + " is none of its instruments; " + mend)


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class StrategyRequest:
    """A strategy's request: a ladder (`plan`), an `order`'s change or cancellation, or an exit."""

    def __init__(
        self,
        token: i64,
        side: Side,
        plan: LadderPlan | None,
        reason: str,
        order: Order | None = None,
        change: OrderChange | None = None,
    ) -> None:
        self.token = token
        self.side = side
        self.plan = plan
        self.reason = reason
        self.order = order
        self.change = change


@mypyc_attr(acyclic=True)
@final
class ManualRequest:
    """The operator's request in a strategy's form; the kernel leaves its `verdict` there."""

    def __init__(self, ts: i64, request: StrategyRequest) -> None:
        self.ts = ts
        self.request = request
        self.verdict = RefusalReason.OK


@mypyc_attr(acyclic=True)
@final
class RungAddition:
    """The operator adds a rung to a ladder: shares (0: as many as its plan), a stop in percent.

    A stop below 0.0 is that of its newest rung. The kernel leaves the entry in `order`, or in
    `verdict` and `detail` why there is none.
    """

    def __init__(self, ts: i64, ladder: i64, quantity: i64, stop_percent: float) -> None:
        self.ts = ts
        self.ladder = ladder
        self.quantity = quantity
        self.stop_percent = stop_percent
        self.order: Order | None = None
        self.verdict = RefusalReason.OK
        self.detail = ""


class StrategyAct(IntEnum):
    """An act of the operator on a strategy while the desk runs."""

    STOP = 1
    START = 2
    CHANGE = 3


class InstrumentQuote:
    """A strategy's view of an instrument: `last` in rupees, 0.0 before the first."""

    def __init__(self) -> None:
        self.last = 0.0


class StrategyHoldings:
    """The ladders of one strategy that are not closed, by token."""

    def __init__(self) -> None:
        self.by_token: IntMap[list[Ladder]] = IntMap()

    def expect(self, token: i64) -> None:
        """Keep a place for the ladders of a token."""
        self.by_token[token] = []

    def add(self, ladder: Ladder) -> None:
        """Take in a ladder, once."""
        held = self.by_token.setdefault(ladder.instrument.token, [])
        if ladder not in held:
            held.append(ladder)

    def remove(self, ladder: Ladder) -> None:
        """Let go of a ladder that is over."""
        held = self.by_token.get(ladder.instrument.token)
        if held is not None and ladder in held:
            held.remove(ladder)

    def ladders(self, token: i64) -> list[Ladder]:
        """Return the ladders of a token."""
        held = self.by_token.get(token)
        return [] if held is None else held

    def all_ladders(self) -> list[Ladder]:
        """Return all of them, in the order of the tokens."""
        return [ladder for held in self.by_token.values() for ladder in held]

    def shares(self, token: i64) -> i64:
        """Return the shares that they hold, negative when short."""
        shares: i64 = 0
        held = self.by_token.get(token)
        if held is not None:
            for ladder in held:
                for rung in ladder.rungs:
                    shares += ladder.sign * rung.quantity
        return shares


@final
class Context:
    """One strategy's view of the desk at this moment; it sees only the past, and only asks."""

    def __init__(self, strategy: str) -> None:
        self.strategy = strategy
        self.now: i64 = 0
        self.warming = True
        self.instruments: dict[int, Instrument] = {}
        self.quotes: IntMap[InstrumentQuote] = IntMap()
        self.holdings = StrategyHoldings()
        self.requests: list[StrategyRequest] = []

    @property
    def time_of_day(self) -> i64:
        """Return the seconds since midnight, IST: 33,300 is 09:15:00."""
        return (self.now - day_start(self.now)) // SECOND

    def instrument(self, token: i64) -> Instrument:
        """Return the instrument of a token the strategy trades.

        Raises `LookupError`, which stops it.
        """
        found = self.instruments.get(int(token))
        if found is None:
            raise unknown_token(self.strategy, token)
        return found

    def ltp(self, token: i64) -> float:
        """Return the last price in rupees, 0.0 before the first tick."""
        quote = self.quotes.get(token)
        return 0.0 if quote is None else quote.last

    def ladders(self, token: i64) -> list[Ladder]:
        """Return this strategy's ladders on a token that are not closed."""
        return self.holdings.ladders(token)

    def all_ladders(self) -> list[Ladder]:
        """Return this strategy's ladders that are not closed, on whatever token."""
        return self.holdings.all_ladders()

    def position(self, token: i64) -> i64:
        """Return the shares this strategy holds, negative when short."""
        return self.holdings.shares(token)

    def ladder(self, token: i64, side: Side, plan: LadderPlan, reason: str = "") -> None:
        """Ask for a ladder; sizing and risk decide, and the answer is an order or a reason code."""
        if not self.warming:
            self.requests.append(StrategyRequest(token, side, plan, reason))

    def enter(
        self,
        token: i64,
        side: Side,
        capital: i64,
        stop_percent: float,
        target_percent: float = 0.0,
        product: Product = Product.CNC,
        trail: bool = True,
        reason: str = "",
        quantity: i64 = 0,
        risk: i64 = 0,
        swing: float = 0.0,
    ) -> None:
        """Ask for a single position with a stop and perhaps a target, sized as `LadderPlan` says.

        It is at most `capital` paise, or exactly `quantity` shares, or so many as lose `risk` paise
        at the stop or by a `swing`.
        """
        plan = LadderPlan(
            [RungPlan(0.0, stop_percent, target_percent)],
            capital,
            product,
            trail=trail,
            quantity=quantity,
            risk=risk,
            swing=swing,
        )
        self.ladder(token, side, plan, reason)

    def buy(
        self,
        token: i64,
        quantity: i64,
        stop_percent: float,
        price: float = 0.0,
        trigger: float = 0.0,
        target_percent: float = 0.0,
        product: Product = Product.CNC,
        validity: Validity = Validity.DAY,
        terms: OrderTerms = PLAIN,
        protection: float = -1.0,
        trail: bool = True,
        reason: str = "",
    ) -> None:
        """Ask for shares, with a stop at a distance from their cost (`BARE`: none), maybe a target.

        With a `price` (rupees) it is a LIMIT order, with a `trigger` SL-M, with both SL, with
        neither MARKET. A market order that does not fill within seconds is cancelled; a priced one
        rests for its validity.
        """
        entry = entry_plan(price, trigger, validity, protection, terms)
        self.ladder(
            token,
            Side.BUY,
            single_rung_plan(
                quantity,
                stop_percent,
                target_percent=target_percent,
                product=product,
                trail=trail,
                entry=entry,
            ),
            reason,
        )

    def sell(
        self,
        token: i64,
        quantity: i64,
        stop_percent: float,
        price: float = 0.0,
        trigger: float = 0.0,
        target_percent: float = 0.0,
        product: Product = Product.MIS,
        validity: Validity = Validity.DAY,
        terms: OrderTerms = PLAIN,
        protection: float = -1.0,
        trail: bool = True,
        reason: str = "",
    ) -> None:
        """Ask for a short position, as `buy` does for a long one.

        A position is left by `exit`.
        """
        entry = entry_plan(price, trigger, validity, protection, terms)
        self.ladder(
            token,
            Side.SELL,
            single_rung_plan(
                quantity,
                stop_percent,
                target_percent=target_percent,
                product=product,
                trail=trail,
                entry=entry,
            ),
            reason,
        )

    def orders(self, token: i64) -> list[Order]:
        """Return this strategy's entries on a token that may still trade."""
        found: list[Order] = []
        for ladder in self.ladders(token):
            for rung in ladder.rungs:
                entry = rung.entry
                if entry is not None and is_working(entry):
                    found.append(entry)
        return found

    def modify(
        self, order: Order, quantity: i64 = 0, price: float = 0.0, trigger: float = 0.0
    ) -> None:
        """Ask for another total quantity, price or trigger of a working entry; 0 keeps one."""
        if not self.warming:
            change = OrderChange(quantity, price, trigger)
            self.requests.append(
                StrategyRequest(
                    order.token, order.side, plan=None, reason="", order=order, change=change
                )
            )

    def cancel(self, order: Order) -> None:
        """Ask for the cancellation of a working entry; its filled shares stay, with their stop."""
        if not self.warming:
            self.requests.append(StrategyRequest(order.token, order.side, None, "", order))

    def exit(self, token: i64, reason: str = "") -> None:
        """Ask to leave everything this strategy holds on a token."""
        if not self.warming:
            self.requests.append(StrategyRequest(token, Side.SELL, None, reason))


@mypyc_attr(allow_interpreted_subclasses=True)
class Strategy:
    """One strategy: give it a name and a span, and override the callbacks it needs.

    `span` is its bar in seconds, `every` the seconds between calls of `on_timer` (0: none).
    """

    def __init__(self, name: str, span: i64, every: i64 = 0, wants_ticks: bool = False) -> None:
        self.name = name
        self.span = span
        self.every = every
        self.wants_ticks = wants_ticks

    def follow(self, token: i64) -> list[Indicator]:  # noqa: ARG002  what strategies go by
        """Return the indicators that the desk is to keep for an instrument.

        It is asked once, before the first bar. The desk takes each bar into them, at the speed of
        the core, before `on_bar` gets it. With a `Cross` among them, `on_bar` gets only the bars at
        which one of the crosses turns.
        """
        return []

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        """Take a closed bar of `span` seconds; during warm-up, stored ones."""

    def on_tick(self, ctx: Context, tick: Tick) -> None:
        """Take each tick, where `wants_ticks`."""

    def on_timer(self, ctx: Context, ts: i64) -> None:
        """Take the desk's clock every `every` seconds of the session."""

    def on_start(self, ctx: Context) -> None:
        """Begin in the middle of a day: the operator has started it, and it has heard its past.

        It is not called at the opening, nor in a backtest.
        """

    def on_stop(self, ctx: Context, reason: str) -> None:
        """End for the day: the operator has stopped it.

        What it asks for now may leave and cancel; entries are refused (`STRATEGY_STOPPED`).
        """

    def on_parameters(self, ctx: Context, parameters: object) -> bool:  # noqa: ARG002  what strategies go by
        """Take other parameters for the rest of the day; return whether it has.

        `parameters` is the struct that its constructor is given. With False, as here, the desk
        makes the strategy anew with them and shows it the bars again.
        """
        return False


@final
class StrategyInstruction:
    """The operator stops a strategy, starts it, or gives it other `parameters`.

    `made` is the strategy made anew, and `bars` (oldest first) are what that is shown before it
    trades. With `leave` the positions of one that is stopped are left. The kernel sets `taken`
    where the strategy that runs has taken the parameters as it is.
    """

    def __init__(
        self,
        ts: i64,
        act: StrategyAct,
        strategy: str,
        reason: str,
        made: Strategy | None = None,
        parameters: object = None,
        bars: list[Bar] | None = None,
        leave: bool = False,
    ) -> None:
        self.ts = ts
        self.act = act
        self.strategy = strategy
        self.reason = reason
        self.made = made
        self.parameters = parameters
        self.bars: list[Bar] = bars if bars is not None else []
        self.leave = leave
        self.taken = False
