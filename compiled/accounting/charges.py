"""Reckon the broker's charges from a dated table.

The exact estimate per order, and the contract note per day.

Rates are whole billionths, so that ₹1 of turnover times a rate is exact: contract notes round
halves up, and a float does not know where a half is. A table covers a day or refuses it: no row, no
charges, no order.
"""

from datetime import date, timedelta
from typing import Final, final

from mypy_extensions import i64

from compiled.model.int_map import IntMap
from compiled.model.values import Product, Side

NANO: Final = 1_000_000_000
"""One, in billionths: the unit of every rate."""

LIMIT: Final = 100_000_000_000_0
"""The largest turnover of one order in paise, ₹1,000 crore.

Every product of it stays within 63 bits.
"""

FOREVER: Final = 99991231
"""The `last` day of a row that is in force."""

CHARGES: Final = ("brokerage", "tax", "txn", "ipft", "sebi", "stamp", "gst")

# a segment's charges are listed under the exchange itself, not under the name of its derivatives
# market
HOME: Final = {"NFO": "NSE", "CDS": "NSE", "BFO": "BSE", "BCD": "BSE"}


@final
class ChargeRow:
    """One charge of one segment at one exchange from `first` to `last` (yyyymmdd, both included).

    `buy` and `sell` are billionths of the turnover (of the premium, for options), `flat` paise per
    executed order, `cap` the most paise per order (-1: none). GST's rate is of the other charges.
    """

    def __init__(
        self,
        charge: str,
        segment: str,
        exchange: str,
        first: i64,
        last: i64,
        buy: i64,
        sell: i64,
        flat: i64 = 0,
        cap: i64 = -1,
    ) -> None:
        self.charge = charge
        self.segment = segment
        self.exchange = exchange
        self.first = first
        self.last = last
        self.buy = buy
        self.sell = sell
        self.flat = flat
        self.cap = cap

    @property
    def name(self) -> str:
        """Return how an error calls the row."""
        return f"{self.charge} {self.segment} {self.exchange} {self.first}-{self.last}"


@final
class ChargeRates:
    """The rates of one segment at one exchange on one day.

    Rates are billionths, amounts paise.
    """

    def __init__(
        self,
        brokerage: ChargeRow,
        tax: ChargeRow,
        txn: ChargeRow,
        ipft: ChargeRow,
        sebi: ChargeRow,
        stamp: ChargeRow,
        gst: ChargeRow,
    ) -> None:
        self.segment = brokerage.segment
        self.exchange = brokerage.exchange
        self.brokerage = brokerage.buy
        self.flat = brokerage.flat
        self.cap = brokerage.cap
        self.tax_buy = tax.buy
        self.tax_sell = tax.sell
        self.txn = txn.buy
        self.ipft = ipft.buy
        self.sebi = sebi.buy
        self.stamp_buy = stamp.buy
        self.stamp_sell = stamp.sell
        self.gst = gst.buy


@final
class ChargeBreakdown:
    """Charges by kind, in rupees.

    `tax` is STT or CTT, `txn` the exchange's fee, `ipft` its investor protection fund.
    """

    def __init__(
        self,
        brokerage: float,
        tax: float,
        txn: float,
        ipft: float,
        sebi: float,
        gst: float,
        stamp: float,
    ) -> None:
        self.brokerage = brokerage
        self.tax = tax
        self.txn = txn
        self.ipft = ipft
        self.sebi = sebi
        self.gst = gst
        self.stamp = stamp
        self.total = brokerage + tax + txn + ipft + sebi + gst + stamp


@final
class RateTable:
    """Rates by segment, exchange and day."""

    def __init__(self, rows: list[ChargeRow]) -> None:
        """Take the rows in any order.

        Raise `ValueError` naming a row that overlaps another or leaves a gap.
        """
        self._rows: dict[str, list[ChargeRow]] = {}
        for row in sorted(rows, key=_first_day):
            if row.charge not in CHARGES:
                raise ValueError(f"{row.name}: no such charge; there are {', '.join(CHARGES)}")
            if row.last < row.first:
                raise ValueError(f"{row.name}: ends before it begins")
            line = self._rows.setdefault(_row_key(row.charge, row.segment, row.exchange), [])
            if line:
                _check_row_follows(line[-1], row)
            line.append(row)

    def rates(
        self, segment: str, exchange: str, day: i64, lacking: list[str] | None = None
    ) -> ChargeRates:
        """Return the rates of a day (yyyymmdd); hold on to them for the day.

        `exchange` may be the exchange or its derivatives market (NFO, CDS, BFO, BCD). Raises
        `LookupError` when the table does not cover the day; with a list for `lacking` rates, such
        charges are named there, and nothing.
        """
        home = HOME.get(exchange, exchange)
        rows = [self._find_row(charge, segment, home, day, lacking) for charge in CHARGES]
        return ChargeRates(
            rows[0], rows[1], txn=rows[2], ipft=rows[3], sebi=rows[4], stamp=rows[5], gst=rows[6]
        )

    def _find_row(
        self, charge: str, segment: str, exchange: str, day: i64, lacking: list[str] | None
    ) -> ChargeRow:
        for row in self._rows.get(_row_key(charge, segment, exchange), []):
            if row.first <= day <= row.last:
                return row
        if lacking is not None:
            lacking.append(charge)
            return ChargeRow(charge, segment, exchange=exchange, first=day, last=day, buy=0, sell=0)
        raise LookupError(
            f"no {charge} rate for {segment} at {exchange} on {day}: add the row to "
            f"engine/market/charges.json"
        )


def _row_key(charge: str, segment: str, exchange: str) -> str:
    return f"{charge} {segment} {exchange}"


def _first_day(row: ChargeRow) -> int:
    return row.first


def _check_row_follows(earlier: ChargeRow, later: ChargeRow) -> None:
    if later.first <= earlier.last:
        raise ValueError(f"{later.name}: overlaps {earlier.name}")
    if _day_after(earlier.last) != later.first:
        raise ValueError(f"{later.name}: leaves a gap after {earlier.name}")


def _day_after(day: int) -> int:
    after = date(day // 10_000, day // 100 % 100, day % 100) + timedelta(days=1)
    return after.year * 10_000 + after.month * 100 + after.day


def estimate_charges(
    rates: ChargeRates, side: Side, quantity: i64, price: float
) -> ChargeBreakdown:
    """Return the charges of one executed order, unrounded, as the broker's preview does."""
    turnover = float(quantity) * price / float(NANO)
    brokerage = float(rates.flat) / 100.0 + turnover * float(rates.brokerage)
    if rates.cap >= 0:
        brokerage = min(brokerage, float(rates.cap) / 100.0)
    txn = turnover * float(rates.txn)
    ipft = turnover * float(rates.ipft)
    sebi = turnover * float(rates.sebi)
    buys = side is Side.BUY
    return ChargeBreakdown(
        brokerage,
        turnover * float(rates.tax_buy if buys else rates.tax_sell),
        txn=txn,
        ipft=ipft,
        sebi=sebi,
        gst=(brokerage + txn + ipft + sebi) * float(rates.gst) / float(NANO),
        stamp=turnover * float(rates.stamp_buy if buys else rates.stamp_sell),
    )


def rates_key(token: i64, product: i64) -> i64:
    """Return the number under which a kernel keeps the rates of an instrument and `Product`."""
    return 8 * token + product


def intraday_rates(rates: IntMap[ChargeRates], token: i64, product: Product) -> ChargeRates | None:
    """Return the rates where delivery closed on its day is charged apart, else None."""
    if product is not Product.CNC:
        return None
    found = rates.get(rates_key(token, Product.MIS))
    if found is None or found.segment == rates[rates_key(token, product)].segment:
        return None
    return found


def order_charges(rates: ChargeRates, side: Side, quantity: i64, value: i64) -> i64:
    """Return all charges of one order of `quantity` shares for `value` paise, half up.

    They are rounded to the paisa. Raises `ValueError` above `LIMIT`.
    """
    if quantity == 0:
        return 0
    if value > LIMIT:
        raise ValueError("turnover above ₹1,000 crore")
    buys = side is Side.BUY
    # GST is on the broker's and the exchange's fees, not on STT and stamp duty.
    taxed = value * (rates.tax_buy + rates.stamp_buy if buys else rates.tax_sell + rates.stamp_sell)
    served = _raw_brokerage(rates, value) + value * (rates.txn + rates.ipft + rates.sebi)
    # what is cut off below a billionth of a paisa cannot reach a half
    gst = served // NANO * rates.gst + served % NANO * rates.gst // NANO
    return (taxed + served + gst + NANO // 2) // NANO


def contract_note(rates: ChargeRates, buys: list[int], sells: list[int]) -> ChargeBreakdown:
    """Return the charges of a day's contract note in one segment, rounded as the broker does.

    `buys` and `sells` hold the traded value of each executed order in paise. Brokerage is rounded
    per order, all else on the day's sum: STT to the paisa and then to the rupee, stamp duty to the
    rupee, the exchange's and SEBI's fees to the paisa, GST as two halves (CGST, SGST) on the
    rounded base; halves always up. Seen on 41 F&O notes of 2025; assumed for equity. Raises
    `ValueError` for an order above `LIMIT`.
    """
    bought: i64 = 0
    sold: i64 = 0
    brokerage: i64 = 0
    for value in buys:
        bought += value
        brokerage += order_brokerage(rates, value)
    for value in sells:
        sold += value
        brokerage += order_brokerage(rates, value)
    tax, txn, ipft, sebi, gst, stamp = _note_lines(rates, bought, sold, brokerage)
    return ChargeBreakdown(
        float(brokerage) / 100.0,
        float(tax) / 100.0,
        txn=float(txn) / 100.0,
        ipft=float(ipft) / 100.0,
        sebi=float(sebi) / 100.0,
        gst=float(gst) / 100.0,
        stamp=float(stamp) / 100.0,
    )


def note_total(rates: ChargeRates, bought: i64, sold: i64, brokerage: i64) -> i64:
    """Return all charges of a note in paise, as `contract_note` adds them up.

    `brokerage` is that of its orders.
    """
    tax, txn, ipft, sebi, gst, stamp = _note_lines(rates, bought, sold, brokerage)
    return brokerage + tax + txn + ipft + sebi + gst + stamp


def note_lines(rates: ChargeRates, bought: i64, sold: i64, brokerage: i64) -> list[int]:
    """Return the lines of a note in paise, in the order of `CHARGES`.

    They add up to `note_total`.
    """
    tax, txn, ipft, sebi, gst, stamp = _note_lines(rates, bought, sold, brokerage)
    return [int(brokerage), int(tax), int(txn), int(ipft), int(sebi), int(stamp), int(gst)]


def _note_lines(
    rates: ChargeRates, bought: i64, sold: i64, brokerage: i64
) -> tuple[i64, i64, i64, i64, i64, i64]:
    """Return STT, the exchange's fee, IPFT, SEBI's fee, GST and stamp duty of a note in paise."""
    turnover = bought + sold
    # STT is rounded to the paisa, then to the rupee, stamp duty to the rupee at once, as 41 notes
    # of 2025 show: the two differ at half a rupee.
    tax = (_charge_part(bought, rates.tax_buy, sold, rates.tax_sell, NANO // 2) + 50) // 100 * 100
    txn = _charge_part(turnover, rates.txn, 0, 0, NANO // 2)
    ipft = _charge_part(turnover, rates.ipft, 0, 0, NANO // 2)
    sebi = _charge_part(turnover, rates.sebi, 0, 0, NANO // 2)
    # CGST and SGST are rounded each by itself, so the sum is always even.
    gst = 2 * _round_half_up((brokerage + txn + ipft + sebi) * rates.gst, 2 * NANO)
    stamp = (_charge_part(bought, rates.stamp_buy, sold, rates.stamp_sell, 0) + 50) // 100 * 100
    return tax, txn, ipft, sebi, gst, stamp


def _charge_part(amount: i64, rate: i64, other: i64, its_rate: i64, up: i64) -> i64:
    """Return two amounts' parts together in whole paise, after adding `up` billionths.

    No product exceeds 63 bits.
    """
    # Whole billions are multiplied apart: amount times rate of a big day would leave 63 bits.
    whole = amount // NANO * rate + other // NANO * its_rate
    return whole + (amount % NANO * rate + other % NANO * its_rate + up) // NANO


def order_brokerage(rates: ChargeRates, value: i64) -> i64:
    """Return the brokerage of one order on a note, in paise, half up.

    Raise `ValueError` above `LIMIT`.
    """
    if value > LIMIT:
        raise ValueError("turnover above ₹1,000 crore")
    return _round_half_up(_raw_brokerage(rates, value), NANO) if value else 0


def _raw_brokerage(rates: ChargeRates, value: i64) -> i64:
    """Return the brokerage of one order in billionths of a paisa."""
    assert value >= 0, "a value has no side"
    charged = rates.flat * NANO + value * rates.brokerage
    if 0 <= rates.cap * NANO < charged:
        return rates.cap * NANO
    return charged


def _round_half_up(amount: i64, unit: i64) -> i64:
    """Return how many whole units an amount makes, halves up."""
    return (amount + unit // 2) // unit
