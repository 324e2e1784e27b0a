"""What a desk does before it may trade: whose account, which instruments, how much cash, what charges, which history."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import date

from compiled.charges import Rates, RateTable
from compiled.kernel import Kernel
from compiled.model import SECOND, Bar, Instrument, Product, paise
from compiled.orders import CORRECTION, corrects
from compiled.outbox import Fill
from engine.errors import BusyError, DataError, OperatorError, RetryableError
from engine.market.actions import Actions
from engine.market.calendar import DAY, ist_day, midnight
from engine.market.charges import segment
from engine.market.ex_dates import flagged
from engine.market.hours import Hours
from engine.market.rules import Rules
from engine.market.safeguards import Safeguards
from engine.ports import Broker, BrokerHolding, Clock, Journal
from engine.trading.kept import whole
from engine.trading.shares import ShareRegister

PRODUCTS = (Product.CNC, Product.MIS, Product.MTF)
MINUTE_SPAN, DAY_SPAN = 60, 86_400
RAN = "ran:"
"""What the settings are called in `meta` that a day was opened with, by day and time (ns)."""
DAYS_BACK = 400
"""Calendar days of history for strategies on days: some 270 sessions."""


def check_account(journal: Journal, account: str) -> None:
    """Bind the database to the account on first use; raise `BusyError` where it belongs to another."""
    owner = _meta(journal).get("account")
    check_owner(owner, account)
    if owner is None:
        journal.append("meta", {"key": "account", "value": account})


def check_owner(owner: str | None, account: str) -> None:
    """Raise `BusyError` where a database belongs to another account; None: to nobody yet."""
    if owner not in {None, account}:
        raise BusyError(f"this database belongs to account {owner}, the broker says {account}; name another one")


def choose(
    instruments: Iterable[Instrument], watch: Sequence[str], wanted: Iterable[str]
) -> tuple[list[Instrument], list[str]]:
    """Return what to watch: `watch` and what the strategies name, indices too, or besides all shares where `watch` is empty.

    What is named comes first. Second come the symbols that the broker does not have.
    """
    by_symbol = {i.symbol: i for i in instruments if i.kind in {"EQ", "INDEX"}}
    named = dict.fromkeys([*watch, *wanted])
    shares = () if watch else (symbol for symbol, each in by_symbol.items() if each.kind == "EQ")
    chosen = [by_symbol[symbol] for symbol in dict.fromkeys([*named, *shares]) if symbol in by_symbol]
    return chosen, [symbol for symbol in named if symbol not in by_symbol]


def no_such(symbols: Iterable[str]) -> str:
    """Say that the broker does not have these symbols, and what he calls them now."""
    known = Actions(())
    told = (f"{each} ({name} now)" if (name := known.name(each)) != each else each for each in symbols)
    return f"no such symbol on NSE: {', '.join(told)}"


def freezes(instruments: Iterable[Instrument], rules: Rules, day: date) -> None:
    """Fill in the most that one order of a share may ask for, which no broker lists; nothing on days without a rule."""
    most = 0
    with suppress(DataError):
        most = rules.order_limits(day).max_quantity
    for each in instruments:
        if each.kind == "EQ" and not each.freeze:
            each.freeze = most


async def start_cash(journal: Journal, broker: Broker, day: date) -> tuple[int, bool]:
    """Return the day's first cash in paise, and whether it is known from an earlier opening of the day.

    If not it is what the broker has now: what has `moved` it since the day began is for the books to tell.
    """
    known = _meta(journal).get(f"start_cash:{day}")
    return (await broker.funds(), False) if known is None else (whole(f"meta, row start_cash:{day}:", known), True)


def keep_start_cash(journal: Journal, day: date, cash: int) -> None:
    """Write down with how much (paise) the day began."""
    journal.append("meta", {"key": f"start_cash:{day}", "value": str(cash)})


def keep_settings(journal: Journal, day: date, now: int, ran: str) -> None:
    """Write down with what settings (JSON) the day is opened, where they are others than at its last opening."""
    opened = {key: value for key, value in _meta(journal).items() if key.startswith(f"{RAN}{day}:")}
    if ran and (not opened or opened[max(opened)] != ran):
        journal.append("meta", {"key": f"{RAN}{day}:{now}", "value": ran})


def kept_fills(kernel: Kernel, journal: Journal, since: int) -> list[Fill]:
    """Return what the journal has of the trades since `since` (ns): an earlier start of the day has booked them."""
    return [
        Fill(
            int(str(row["ts"])), str(row["trade_id"]), kernel.out.orders[int(str(row["intent"]))],
            int(str(row["quantity"])), float(str(row["price"])), 0, 0,
        )
        for row in journal.load("fills", "ts >= ?", (since,))
    ]  # fmt: skip


def taken(kernel: Kernel) -> tuple[int, int]:
    """Return how many orders the exchange has taken, and their trades: corrections are neither."""
    orders = sum(1 for order in kernel.out.orders.values() if order.order_id and not corrects(order))
    return orders, sum(1 for key in kernel.applied if not key.startswith(CORRECTION))


def past(kernel: Kernel, since: int, early: Iterable[Fill]) -> tuple[int, int]:
    """Return how many of a restored kernel's orders were done, and trades made, before `since` (ns); `early` came later."""
    orders, fills = taken(kernel)
    today = sum(
        1
        for order in kernel.out.orders.values()
        if order.order_id and not corrects(order) and (order.created >= since or order.live)
    )
    return orders - today, fills - sum(1 for fill in early if not corrects(fill.order))


def moved(fills: Iterable[Fill]) -> int:
    """Return what deliveries have brought in, in paise: cash of the broker's that has moved; charges leave over night."""
    return sum(
        -int(fill.order.side) * int(paise(fill.price, fill.quantity))
        for fill in fills
        if fill.order.product is Product.CNC and not corrects(fill.order)
    )


def rates(table: RateTable, instruments: Iterable[Instrument], day: date) -> dict[int, Rates]:
    """Return the day's charges by 8 * token + product."""
    number = int(f"{day:%Y%m%d}")
    return {
        int(i.token) * 8 + int(product): table.rates(segment(i, product), i.exchange, number)
        for i in instruments
        if i.kind != "INDEX"
        for product in PRODUCTS
    }


async def derivatives(broker: Broker, rules: Safeguards, day: date) -> set[str] | None:
    """Return the names with contracts, which close by auction; None where the broker lists none to tell by."""
    names: set[str] = set()
    if not rules.closes_by_auction(day, "NSE", "", has_derivatives=True):
        return names
    for exchange in ("NFO", "BFO"):
        try:
            names |= {each.name for each in await broker.instruments(exchange) if each.kind == "FUT"}
        except RetryableError:
            if exchange == "NFO":
                return None
    return names


async def history(
    broker: Broker,
    hours: Hours,
    instruments: Iterable[Instrument],
    spans: Iterable[int],
    clock: Clock,
    tell: Callable[[str, str, str], None],
    days: Collection[int] = (),
) -> list[Bar]:
    """Return the bars since the last trading day's open, oldest first: minutes from the broker, folded here.

    Of the tokens in `days` the bars of whole days are the exchange's own, and more of them (`past_days`).
    What a busy broker turns away is asked for again, as long as it answers some of it.
    """
    now = clock.now()
    today = ist_day(now)
    bars: list[Bar] = []
    waiting = list(instruments)
    failed: list[tuple[Instrument, RetryableError]] = []
    while waiting:
        failed = []
        for instrument in waiting:
            sessions = (hours.before(today, instrument), hours.session(today, instrument))
            opens = [part.start for session in sessions if session for part in session.parts]
            try:
                minutes = await broker.history(int(instrument.token), opens[0], now, MINUTE_SPAN)
            except RetryableError as error:
                failed.append((instrument, error))
                continue
            for span in sorted({MINUTE_SPAN, *spans}):
                bars += [bar for bar in fold(minutes, span, opens) if bar.end <= now]
        if len(failed) == len(waiting):
            break
        waiting = [instrument for instrument, _ in failed]
    for instrument, why in failed:
        tell("warn", "history", f"{instrument.symbol}: no history ({why})")
    bars = [bar for bar in bars if bar.span != DAY_SPAN or int(bar.token) not in days]
    for token in days:
        bars += await past_days(broker, token, now)
    bars.sort(key=lambda bar: (bar.end, bar.span, bar.token))
    return bars


def daily(kernel: Kernel) -> set[int]:
    """Return the tokens that strategies on days subscribe to."""
    return {int(token) for slot in kernel.slots if slot.span == DAY_SPAN for token in slot.tokens}


async def past_days(broker: Broker, token: int, now: int) -> list[Bar]:
    """Return the exchange's own bars of the days before today, auctions included, oldest first; raise as the broker does."""
    today = midnight(ist_day(now))
    return await broker.history(token, today - DAYS_BACK * DAY, today, DAY_SPAN)


def fold(minutes: Iterable[Bar], span: int, opens: Sequence[int]) -> list[Bar]:
    """Fold one-minute bars into bars of `span` seconds that are aligned to each part's open (ns), oldest first."""
    folded: dict[int, Bar] = {}
    for bar in minutes:
        opened = max((open_ for open_ in opens if open_ <= bar.start), default=int(bar.start))
        start = opened + (bar.start - opened) // (span * SECOND) * span * SECOND
        known = folded.get(start)
        if known is None:
            folded[start] = Bar(bar.token, start, span, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.ticks)
            continue
        known.high, known.low = max(known.high, bar.high), min(known.low, bar.low)
        known.close = bar.close
        known.volume += bar.volume
        known.ticks += bar.ticks
    return list(folded.values())


def ex_dates(
    actions: Actions | None, day: date, kernel: Kernel, tell: Callable[[str, str, str], None]
) -> tuple[str, ...]:
    """Hold what stands against the corporate actions of a day; return and tell a line for each that it hits."""
    if actions is None:
        return ()
    if actions.last < day:
        tell("warn", "ex_date", f"the list of corporate actions ends on {actions.last}: later ones are not known")
    found = flagged(actions, day, kernel)
    for line in found:
        tell("alarm", "ex_date", line)
    return found


async def also_held(
    broker: Broker, journal: Journal, shares: ShareRegister, tell: Callable[[str, str, str], None]
) -> tuple[set[int], list[BrokerHolding]]:
    """Return the tokens of what the journal or the broker holds, and the broker's holdings under them.

    The desk watches them, whatever it is told to watch.

    A broker that cannot be read adds nothing: the comparison that follows says so.
    """
    tokens, holdings = set(), list[BrokerHolding]()
    with suppress(RetryableError, OperatorError):
        tokens |= {each.token for each in await broker.positions() if each.quantity}
        holdings = await broker.holdings()
    await shares.follow(holdings, tell)
    holdings = [
        each._replace(token=shares.token(each.exchange, each.symbol, each.token, each.isin)) for each in holdings
    ]
    tokens |= {each.token for each in holdings if each.quantity}
    return tokens | {int(str(row["token"])) for row in journal.load("ladders", "closed = 0")}, holdings


def unlisted(journal: Journal, listed: Iterable[Instrument]) -> list[Instrument]:
    """Return what open ladders stand on although the broker lists it no longer: it has no prices, and is not forgotten."""
    known = {int(each.token) for each in listed}
    rows = {int(str(row["token"])): str(row["symbol"]) for row in journal.load("ladders", "closed = 0")}
    return [Instrument(token, "NSE", symbol, 0.05) for token, symbol in rows.items() if token not in known]


def _meta(journal: Journal) -> dict[str, str]:
    return {str(row["key"]): str(row["value"]) for row in journal.load("meta")}
