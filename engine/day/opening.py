"""A desk's preparations for trading: account, instruments, cash, charges and history."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import date

from compiled.accounting.charges import ChargeRates, rates_key
from compiled.model.values import SECOND, Bar, Instrument, Product, paise
from compiled.trading.kernel import Kernel
from compiled.trading.order_states import CORRECTION, is_correction
from compiled.trading.order_store import BookedFill
from engine.books.journal_rows import whole_number
from engine.books.share_register import ShareRegister
from engine.errors import BusyError, DataError, OperatorError, RetryableError
from engine.market.calendar import DAY, ist_day, midnight
from engine.market.charges import ChargeSource, charge_segment
from engine.market.corporate_actions.action_list import CorporateActions
from engine.market.corporate_actions.ex_date_flags import flagged_lines
from engine.market.instrument_hours import InstrumentHours
from engine.market.order_rules import OrderRules
from engine.market.safeguards import TradingSafeguards
from engine.ports import Broker, BrokerHolding, Clock, Journal

PRODUCTS = (Product.CNC, Product.MIS, Product.MTF)
CONTRACT_PRODUCTS = (Product.NRML, Product.MIS)
MINUTE_SPAN, DAY_SPAN = 60, 86_400
RAN = "ran:"
"""What the settings are called in `meta` that a day was opened with, by day and time (ns)."""
OPENED = "opened"
"""What the opening of a day is called in `audit`."""
DAYS_BACK = 400
"""Calendar days of history for strategies on days: some 270 sessions."""


def check_account(journal: Journal, account: str) -> None:
    """Bind the database to the account on first use.

    Raise `BusyError` where it belongs to another.
    """
    owner = _meta_values(journal).get("account")
    check_owner(owner, account)
    if owner is None:
        journal.append("meta", {"key": "account", "value": account})


def check_owner(owner: str | None, account: str) -> None:
    """Raise `BusyError` where a database belongs to another account; None: to none yet."""
    if owner not in {None, account}:
        raise BusyError(
            f"this database belongs to account {owner}, the broker says {account}; name another one"
        )


def choose_instruments(
    instruments: Iterable[Instrument], watch: Sequence[str], wanted: Iterable[str]
) -> tuple[list[Instrument], list[str]]:
    """Return the instruments to watch, and the symbols that the broker does not have.

    They are `watch` and the strategies' names, indices too, or besides all shares where `watch` is
    empty. Named ones come first.
    """
    by_symbol = {i.symbol: i for i in instruments if i.kind in {"EQ", "INDEX"}}
    named = dict.fromkeys([*watch, *wanted])
    shares = () if watch else (symbol for symbol, each in by_symbol.items() if each.kind == "EQ")
    chosen = [
        by_symbol[symbol] for symbol in dict.fromkeys([*named, *shares]) if symbol in by_symbol
    ]
    return chosen, [symbol for symbol in named if symbol not in by_symbol]


def no_such_symbols(symbols: Iterable[str]) -> str:
    """Say that the broker does not have these symbols, and their present names there."""
    known = CorporateActions(())
    names = (
        f"{each} ({name} now)" if (name := known.current_symbol(each)) != each else each
        for each in symbols
    )
    return f"no such symbol on NSE: {', '.join(names)}"


def fill_in_freezes(instruments: Iterable[Instrument], rules: OrderRules, day: date) -> None:
    """Fill in the most that one order of a share may ask for, which no broker lists.

    Days without a rule have none.
    """
    most = 0
    with suppress(DataError):
        most = rules.order_limits(day).max_quantity
    for each in instruments:
        if each.kind == "EQ" and not each.freeze:
            each.freeze = most


async def opening_cash(journal: Journal, broker: Broker, day: date) -> tuple[int, bool]:
    """Return the day's first cash in paise, and whether an earlier opening of the day knew it.

    If not it is the broker's present cash: its movements since the day began (`moved_cash`) are for
    the books to find.
    """
    known = _meta_values(journal).get(f"start_cash:{day}")
    return (
        (await broker.funds(), False)
        if known is None
        else (whole_number(f"meta, row start_cash:{day}:", known), True)
    )


def keep_start_cash(journal: Journal, day: date, cash: int) -> None:
    """Write down with how much (paise) the day began."""
    journal.append("meta", {"key": f"start_cash:{day}", "value": str(cash)})


def keep_settings(journal: Journal, day: date, now: int, ran: str) -> None:
    """Write down that the day was opened, and by which settings (JSON).

    They are left out where they are those of its last opening.
    """
    journal.append("audit", {"ts": now, "who": "desk", "act": OPENED, "detail": str(day)})
    opened = {
        key: value for key, value in _meta_values(journal).items() if key.startswith(f"{RAN}{day}:")
    }
    if ran and (not opened or opened[max(opened)] != ran):
        journal.append("meta", {"key": f"{RAN}{day}:{now}", "value": ran})


def kept_fills(kernel: Kernel, journal: Journal, since: int) -> list[BookedFill]:
    """Return the journal's trades since `since` (ns), booked by an earlier start of the day."""
    return [
        BookedFill(
            int(str(row["ts"])),
            str(row["trade_id"]),
            order=kernel.order_store.orders[int(str(row["intent"]))],
            quantity=int(str(row["quantity"])),
            price=float(str(row["price"])),
            charges=0,
            realised=0,
        )
        for row in journal.load("fills", "ts >= ?", (since,))
    ]


def taken_counts(kernel: Kernel) -> tuple[int, int]:
    """Return how many orders the exchange has taken, and their trades: corrections are neither."""
    orders = sum(
        1
        for order in kernel.order_store.orders.values()
        if order.order_id and not is_correction(order)
    )
    return orders, sum(1 for key in kernel.order_reports.applied if not key.startswith(CORRECTION))


def earlier_counts(kernel: Kernel, since: int, early: Iterable[BookedFill]) -> tuple[int, int]:
    """Return a restored kernel's numbers of done orders and trades before `since` (ns).

    `early` came later.
    """
    orders, fills = taken_counts(kernel)
    today = sum(
        1
        for order in kernel.order_store.orders.values()
        if order.order_id and not is_correction(order) and (order.created >= since or order.live)
    )
    return orders - today, fills - sum(1 for fill in early if not is_correction(fill.order))


def moved_cash(fills: Iterable[BookedFill]) -> int:
    """Return the cash of deliveries, in paise, which the broker has moved.

    Charges leave over night.
    """
    return sum(
        -int(fill.order.side) * int(paise(fill.price, fill.quantity))
        for fill in fills
        if fill.order.product is Product.CNC and not is_correction(fill.order)
    )


def day_rates(
    table: ChargeSource, instruments: Iterable[Instrument], day: date
) -> dict[int, ChargeRates]:
    """Return the day's charges by `rates_key`."""
    number = int(f"{day:%Y%m%d}")
    return {
        int(rates_key(i.token, product)): table.rates(
            charge_segment(i, product), i.exchange, number
        )
        for i in instruments
        if i.kind != "INDEX"
        for product in (PRODUCTS if i.kind == "EQ" else CONTRACT_PRODUCTS)
    }


async def derivative_names(broker: Broker, rules: TradingSafeguards, day: date) -> set[str] | None:
    """Return the names with contracts, which close by auction.

    It is None where the broker lists none to tell by.
    """
    names: set[str] = set()
    if not rules.closes_by_auction(day, "NSE", "", has_derivatives=True):
        return names
    for exchange in ("NFO", "BFO"):
        try:
            names |= {
                each.name for each in await broker.instruments(exchange) if each.kind == "FUT"
            }
        except RetryableError:
            if exchange == "NFO":
                return None
    return names


async def read_history(
    broker: Broker,
    hours: InstrumentHours,
    instruments: Iterable[Instrument],
    spans: Iterable[int],
    clock: Clock,
    tell: Callable[[str, str, str], None],
    days: Collection[int] = (),
) -> list[Bar]:
    """Return the bars since the last trading day's open, oldest first, folded from minutes.

    Of the tokens in `days` the bars of whole days are the exchange's own, and more of them
    (`past_day_bars`). Instruments that a busy broker turns away are asked for again, as long as it
    answers some.
    """
    now = clock.now()
    today = ist_day(now)
    bars: list[Bar] = []
    waiting = list(instruments)
    failed: list[tuple[Instrument, RetryableError]] = []
    while waiting:
        failed = []
        for instrument in waiting:
            sessions = (hours.session_before(today, instrument), hours.session(today, instrument))
            opens = [part.start for session in sessions if session for part in session.parts]
            try:
                minutes = await broker.history(int(instrument.token), opens[0], now, MINUTE_SPAN)
            except RetryableError as error:
                failed.append((instrument, error))
                continue
            for span in sorted({MINUTE_SPAN, *spans}):
                bars += [bar for bar in fold_minutes(minutes, span, opens) if bar.end <= now]
        if len(failed) == len(waiting):
            break
        waiting = [instrument for instrument, _ in failed]
    for instrument, why in failed:
        tell("warn", "history", f"{instrument.symbol}: no history ({why})")
    bars = [bar for bar in bars if bar.span != DAY_SPAN or int(bar.token) not in days]
    for token in days:
        bars += await past_day_bars(broker, token, now)
    bars.sort(key=lambda bar: (bar.end, bar.span, bar.token))
    return bars


def daily_tokens(kernel: Kernel) -> set[int]:
    """Return the tokens that strategies on days subscribe to."""
    return {
        int(token) for slot in kernel.state.slots if slot.span == DAY_SPAN for token in slot.tokens
    }


async def past_day_bars(broker: Broker, token: int, now: int) -> list[Bar]:
    """Return the exchange's own bars of the days before today, auctions included, oldest first.

    Raise as the broker does.
    """
    today = midnight(ist_day(now))
    return await broker.history(token, today - DAYS_BACK * DAY, today, DAY_SPAN)


def fold_minutes(minutes: Iterable[Bar], span: int, opens: Sequence[int]) -> list[Bar]:
    """Fold one-minute bars into bars of `span` seconds, oldest first.

    They are aligned to each part's open (ns).
    """
    folded: dict[int, Bar] = {}
    for bar in minutes:
        opened = max((open_ for open_ in opens if open_ <= bar.start), default=int(bar.start))
        start = opened + (bar.start - opened) // (span * SECOND) * span * SECOND
        known = folded.get(start)
        if known is None:
            folded[start] = Bar(
                bar.token,
                start,
                span=span,
                open=bar.open,
                high=bar.high,
                low=bar.low,
                close=bar.close,
                volume=bar.volume,
                ticks=bar.ticks,
            )
            continue
        known.high, known.low = max(known.high, bar.high), min(known.low, bar.low)
        known.close = bar.close
        known.volume += bar.volume
        known.ticks += bar.ticks
    return list(folded.values())


def flag_ex_dates(
    actions: CorporateActions | None,
    day: date,
    kernel: Kernel,
    tell: Callable[[str, str, str], None],
) -> tuple[str, ...]:
    """Hold standing items against the corporate actions of a day.

    Return and log a line for each that it hits.
    """
    if actions is None:
        return ()
    if actions.newest_ex_date < day:
        tell(
            "warn",
            "ex_date",
            f"the list of corporate actions ends on {actions.newest_ex_date}: later ones are not "
            f"known",
        )
    found = flagged_lines(actions, day, kernel)
    for line in found:
        tell("alarm", "ex_date", line)
    return found


async def held_tokens(
    broker: Broker, journal: Journal, shares: ShareRegister, tell: Callable[[str, str, str], None]
) -> tuple[set[int], list[BrokerHolding]]:
    """Return the tokens the journal or the broker holds, and the broker's holdings by token.

    The desk watches them, whatever it is told to watch. A broker that cannot be read adds nothing:
    the comparison that follows says so.
    """
    tokens, holdings = set(), list[BrokerHolding]()
    with suppress(RetryableError, OperatorError):
        tokens |= {each.token for each in await broker.positions() if each.quantity}
        holdings = await broker.holdings()
    await shares.follow_renames(holdings, tell)
    holdings = [
        each._replace(token=shares.token(each.exchange, each.symbol, each.token, each.isin))
        for each in holdings
    ]
    tokens |= {each.token for each in holdings if each.quantity}
    return tokens | {
        int(str(row["token"])) for row in journal.load("ladders", "closed = 0")
    }, holdings


def unlisted_instruments(journal: Journal, listed: Iterable[Instrument]) -> list[Instrument]:
    """Return instruments of open ladders that the broker lists no longer.

    They have no prices, and are not forgotten.
    """
    known = {int(each.token) for each in listed}
    rows = {
        int(str(row["token"])): str(row["symbol"]) for row in journal.load("ladders", "closed = 0")
    }
    return [
        Instrument(token, "NSE", symbol, 0.05)
        for token, symbol in rows.items()
        if token not in known
    ]


def _meta_values(journal: Journal) -> dict[str, str]:
    return {str(row["key"]): str(row["value"]) for row in journal.load("meta")}
