"""Trades as tax and account statements see them: executed parts of orders, with their costs.

Rows come from the desk's own fills, or from a broker's tradebook (`tradebook.py`); values and
charges are paise.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import NamedTuple

from compiled.accounting.charges import (
    HOME,
    LIMIT,
    NANO,
    ChargeRates,
    RateTable,
    note_total,
    order_brokerage,
    order_charges,
)
from compiled.model.number_bounds import FIRST, HELD, LAST, PRICE, TURNOVER
from compiled.model.values import Instrument, Product, Side, paise
from engine.errors import DataError
from engine.market import charges
from engine.market.asset_classes import AssetClass, asset_of
from engine.market.calendar import ist_day

OPTIONS = frozenset({"OPT", "CUR_OPT", "COM_OPT"})
OPENING = "OPENING"
"""The segment of what came without a trade: it is in no note."""
SECURITIES = ("EQ_", "ETF_", "FUND_", "BOND_", "MF_", OPENING)
Quantity = int | Decimal
"""Whole shares and contracts, or a fund's units."""


class NoteKey(NamedTuple):
    """The key of a contract note: one day, one exchange, one segment."""

    day: date
    exchange: str
    segment: str


class AccountDeal(NamedTuple):
    """One executed trade; `segment` is that of `charges.json`, `ts` ns UTC.

    `charges` are its share of the day's contract note and include STT or CTT; `stt` is that tax on
    it alone, to the paisa. `group` is BSE's, where it is known.
    """

    day: date
    ts: int
    exchange: str
    symbol: str
    segment: str
    side: Side
    quantity: Quantity
    value: int
    charges: int
    stt: int
    order_id: str
    trade_id: str = ""
    isin: str = ""
    asset: AssetClass = AssetClass.SHARE
    group: str = ""

    @property
    def time_key(self) -> tuple[date, int, int, str]:
        """Return its place in time, by trade number among those of one moment.

        An exchange numbers trades as they come.
        """
        # By length first: trade 99 comes before trade 100, whose text is the smaller.
        return self.day, self.ts, len(self.trade_id), self.trade_id

    @property
    def is_security(self) -> bool:
        """Return whether it is a share, a fund's unit or a bond, which can be delivered."""
        return self.segment.startswith(SECURITIES)


def deals_of(fills: Iterable[Mapping[str, object]]) -> list[AccountDeal]:
    """Return the desk's fills as deals; raise `DataError` for a row that cannot be read.

    A row needs ts (ns UTC), exchange, symbol, side, quantity, price (₹), order_id and trade_id;
    `product` is CNC where it is missing, `asset` follows the symbol. `charged_deals` works out
    their charges.
    """
    found = []
    for row in fills:
        try:
            ts = int(str(row["ts"]))
            found.append(_deal_of_fill(row, ts, str(row.get("product") or "CNC")))
        except (KeyError, ValueError) as error:
            raise DataError(f"fill {row.get('trade_id', '')}: {error}") from error
    return found


def charged_deals(
    deals: Iterable[AccountDeal], table: RateTable, gaps: set[str] | None = None
) -> list[AccountDeal]:
    """Return the deals, oldest first, with their segment and their shares of its contract notes.

    Raises `DataError` where the table does not cover a day; where there is a set for the `gaps`,
    the day is added to it and charged nothing.
    """
    deals = list(deals)
    found = [deal for deal in deals if deal.segment == OPENING]
    # A note is rounded as a whole; a trade has no charge of its own but its share of that.
    for note, rows in deals_by_note(deals).items():
        rates = rates_of(table, note.segment, note.exchange, note.day, gaps)
        weights = _charge_weights(rows, rates)
        for deal, share in zip(
            rows, proportional_shares(note_charges(rows, rates), weights), strict=True
        ):
            rate = int(rates.tax_buy if deal.side is Side.BUY else rates.tax_sell)
            found.append(deal._replace(charges=share, stt=(deal.value * rate + NANO // 2) // NANO))
    return sorted(found, key=lambda deal: deal.time_key)


def deals_by_note(deals: Iterable[AccountDeal]) -> dict[NoteKey, list[AccountDeal]]:
    """Return the deals by contract note, oldest first.

    Delivery that was closed on its day is intraday.
    """
    found: defaultdict[NoteKey, list[AccountDeal]] = defaultdict(list)
    for deal in sorted(by_product(deals), key=lambda each: each.time_key):
        if deal.segment != OPENING:
            exchange = charges.charge_exchange(HOME.get(deal.exchange, deal.exchange), deal.group)
            found[NoteKey(deal.day, exchange, deal.segment)].append(deal)
    return dict(sorted(found.items()))


def without_repeats(deals: Iterable[AccountDeal]) -> tuple[list[AccountDeal], int]:
    """Return each trade once, and how many were repeated.

    A trade is its day, exchange, security, side and number.
    """
    known: dict[tuple[object, ...], AccountDeal] = {}
    unnumbered = []
    again = 0
    for deal in deals:
        # Without a number two trades alike cannot be told from one that is listed twice.
        if not deal.trade_id:
            unnumbered.append(deal)
            continue
        key = deal.day, deal.exchange, deal.symbol, deal.side, deal.trade_id
        again += key in known
        known.setdefault(key, deal)
    return [*known.values(), *unnumbered], again


def renamed_deals(deals: Iterable[AccountDeal]) -> list[AccountDeal]:
    """Return the deals under the last symbol of their ISIN, as a renamed share is one share."""
    deals = list(deals)
    last: dict[str, tuple[date, str]] = {}
    for deal in deals:
        if deal.isin:
            last[deal.isin] = max(last.get(deal.isin, (date.min, "")), (deal.day, deal.symbol))
    # In order of their last day: where two ISINs had one symbol, the later one names it.
    names: dict[str, str] = {}
    for deal in sorted((deal for deal in deals if deal.isin), key=lambda each: last[each.isin]):
        names[deal.symbol] = last[deal.isin][1]
    isins = {deal.symbol: deal.isin for deal in deals if deal.isin}
    return [
        deal._replace(
            symbol=names.get(deal.symbol, deal.symbol), isin=deal.isin or isins.get(deal.symbol, "")
        )
        if deal.is_security
        else deal
        for deal in deals
    ]


def note_charges(rows: Iterable[AccountDeal], rates: ChargeRates) -> int:
    """Return the charges of these deals' note in paise; brokerage is once per order."""
    sums, brokerage = {Side.BUY: 0, Side.SELL: 0}, 0
    for (side, _), value in _order_values(rows).items():
        sums[side] += value
        # The cap per order is reached long before the core's bound on a turnover.
        brokerage += int(order_brokerage(rates, min(value, int(LIMIT))))
    return int(note_total(rates, sums[Side.BUY], sums[Side.SELL], brokerage))


def _order_values(rows: Iterable[AccountDeal]) -> dict[tuple[Side, str], int]:
    orders: defaultdict[tuple[Side, str], int] = defaultdict(int)
    for deal in rows:
        orders[deal.side, deal.order_id] += deal.value
    return orders


def _charge_weights(rows: Iterable[AccountDeal], rates: ChargeRates) -> list[int]:
    """Return the charges each deal's part of its order would bear by itself.

    As a note is rounded, its parts are taken in proportion to these.
    """
    orders = _order_values(rows)
    return [
        int(order_charges(rates, deal.side, 1, min(orders[deal.side, deal.order_id], int(LIMIT))))
        * deal.value
        * NANO
        // (orders[deal.side, deal.order_id] or 1)
        for deal in rows
    ]


def proportional_shares(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole paise in proportion to the weights, which add up to the total."""
    # Rounding each share by itself would lose or invent paise: the ends are rounded, the shares lie
    # between them.
    whole = sum(weights)
    # A note without weights (a day without rates) still has to go somewhere.
    if not whole:
        return [*(0 for _ in weights[1:]), total]
    ends = [(2 * total * reached + whole) // (2 * whole) for reached in accumulate(weights)]
    return [end - begin for begin, end in pairwise([0, *ends])]


def by_product(deals: Iterable[AccountDeal]) -> list[AccountDeal]:
    """Return the deals with the segment they are charged in.

    Delivery that was closed on its day is intraday: the smaller quantity of the two sides, in one
    instrument at one exchange, the earliest shares of either side.
    """
    groups: defaultdict[tuple[date, str, str, str], list[AccountDeal]] = defaultdict(list)
    for deal in deals:
        groups[deal.day, deal.exchange, deal.symbol, deal.segment].append(deal)
    found: list[AccountDeal] = []
    for (_, _, _, segment), rows in groups.items():
        sides = [
            sum(deal.quantity for deal in rows if deal.side is side)
            for side in (Side.BUY, Side.SELL)
        ]
        # Derivatives have no delivery, and one side alone nothing to close.
        if segment not in charges.CLOSED or not min(sides):
            found += rows
            continue
        for side in (Side.BUY, Side.SELL):
            found += _split_intraday(
                [deal for deal in rows if deal.side is side], min(sides), charges.CLOSED[segment]
            )
    return found


def _split_intraday(rows: list[AccountDeal], intraday: Quantity, closed: str) -> list[AccountDeal]:
    """Return one side's deals, the first `intraday` shares of them charged as intraday."""
    found = []
    for deal in sorted(rows, key=lambda each: each.time_key):
        part = min(intraday, deal.quantity)
        intraday -= part
        value = part_of(deal.value, part, deal.quantity)
        if part:
            found.append(deal._replace(segment=closed, quantity=part, value=value))
        if part < deal.quantity:
            found.append(deal._replace(quantity=deal.quantity - part, value=deal.value - value))
    return found


def part_of(amount: int, part: Quantity, whole: Quantity) -> int:
    """Return the part in whole of an amount in paise, half up."""
    return int((amount * part * 2 + whole) // (2 * whole))


def _deal_of_fill(row: Mapping[str, object], ts: int, product: str) -> AccountDeal:
    exchange, symbol, kind = str(row["exchange"]), str(row["symbol"]), Product[product]
    asset = AssetClass(str(row.get("asset") or asset_of(symbol)))
    side, quantity, price = (
        Side[str(row["side"])],
        float(str(row["quantity"])),
        float(str(row["price"])),
    )
    if not FIRST <= ts < LAST:
        raise ValueError(f"ts {ts}: no time of these days")
    # Whatever comes in is held within the core's bounds before the core multiplies it.
    if not (1 <= quantity <= int(HELD) and quantity == int(quantity)):
        raise ValueError(f"quantity {row['quantity']}: expected a whole number from 1 to {HELD}")
    if not 0.0 < price <= PRICE or paise(price, int(quantity)) > TURNOVER:
        raise ValueError(
            f"price {row['price']}: expected more than nothing, and no trade above ₹1,000 crore"
        )
    value = int(paise(price, int(quantity)))
    return AccountDeal(
        ist_day(ts),
        ts,
        exchange=exchange,
        symbol=symbol,
        segment=segment_of(exchange, symbol, asset, kind),
        side=side,
        quantity=int(quantity),
        value=value,
        charges=0,
        stt=0,
        order_id=str(row["order_id"]),
        trade_id=str(row.get("trade_id") or ""),
        isin="",
        asset=asset,
    )


def segment_of(exchange: str, symbol: str, asset: AssetClass, product: Product) -> str:
    """Return the charge segment of a trade; raise `ValueError` where there is none."""
    kind = kind_of(exchange, symbol)
    found = charges.security_segment(asset, product) if kind == "EQ" else ""
    return found or charges.charge_segment(
        Instrument(0, exchange, symbol=symbol, tick=0.01, lot=1, kind=kind), product
    )


def rates_of(
    table: RateTable, segment: str, exchange: str, day: date, gaps: set[str] | None = None
) -> ChargeRates:
    """Return the rates of a day.

    Raise `DataError` where the table does not cover it, or add the day to the gaps.
    """
    lacking: list[str] | None = None if gaps is None else []
    try:
        rates = table.rates(segment, exchange, charge_day(day), lacking)
    except LookupError as error:
        raise DataError(str(error.args[0])) from error
    if gaps is not None:
        gaps.update(f"{charge} of {segment} at {exchange} on {day}" for charge in lacking or ())
    return rates


def charge_day(day: date) -> int:
    """Return a day as the charge tables count it, yyyymmdd."""
    return day.year * 10_000 + day.month * 100 + day.day


def kind_of(exchange: str, symbol: str) -> str:
    """Return EQ, FUT, CE or PE from a symbol as Kite writes it."""
    if exchange in {"NSE", "BSE"}:
        return "EQ"
    return next((kind for kind in ("FUT", "CE", "PE") if symbol.endswith(kind)), "")
