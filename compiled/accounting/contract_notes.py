"""The day's contract notes as known so far; a fill is charged by its change to them.

There is a note for each segment at each exchange. Of one instrument's purchases and sales for
delivery on one day, the smaller quantity is intraday, the earliest shares of either side first: a
sale takes an earlier purchase out of the note of delivery. So the charges of all fills add up to
the notes, to the paisa, after each of them.
"""

from typing import final

from mypy_extensions import i64

from compiled.accounting.charges import (
    CHARGES,
    LIMIT,
    ChargeRates,
    note_lines,
    note_total,
    order_brokerage,
)
from compiled.accounting.ledger import pro_rata
from compiled.model.int_map import IntMap
from compiled.model.values import Side


@final
class OrderPart:
    """One order's trades in one note, and the brokerage on it, in paise."""

    def __init__(self) -> None:
        self.value: i64 = 0
        self.brokerage: i64 = 0


@final
class SegmentNote:
    """One segment at one exchange on one day, in paise."""

    def __init__(self, rates: ChargeRates) -> None:
        self.rates = rates
        self.bought: i64 = 0
        self.sold: i64 = 0
        self.brokerage: i64 = 0
        self.total: i64 = 0
        self._orders: IntMap[OrderPart] = IntMap()

    def trade(self, order: i64, side: Side, value: i64) -> None:
        """Enter an order's trade; a negative value leaves the note again."""
        part = self._orders.get(order)
        if part is None:
            part = OrderPart()
            self._orders[order] = part
        # Brokerage has a cap per order, not per fill: an order's parts are added up before it is
        # computed, and the difference to before is charged.
        part.value += value
        assert part.value >= 0, "more leaves a note than the order had entered"
        brokerage = order_brokerage(self.rates, min(part.value, LIMIT))
        self._add_value(side, value, brokerage - part.brokerage)
        part.brokerage = brokerage

    def trade_whole(self, side: Side, value: i64) -> None:
        """Enter an order that trades once and stays."""
        self._add_value(side, value, order_brokerage(self.rates, min(value, LIMIT)))

    def _add_value(self, side: Side, value: i64, brokerage: i64) -> None:
        if side is Side.BUY:
            self.bought += value
        else:
            self.sold += value
        self.brokerage += brokerage
        assert self.bought >= 0, "a note of less than no purchases"
        assert self.sold >= 0, "a note of less than no sales"

    def reckon(self) -> i64:
        """Add it up again; return by how much its total has changed."""
        before = self.total
        self.total = note_total(self.rates, self.bought, self.sold, self.brokerage)
        return self.total - before


@final
class DeliveryFill:
    """One fill under delivery: `netted` shares of it, worth `moved` paise, are intraday."""

    def __init__(
        self, ts: i64, trade: str, order: i64, side: Side, quantity: i64, value: i64
    ) -> None:
        assert quantity > 0, "a fill moves shares"
        self.ts = ts
        self.trade = trade
        self.order = order
        self.side = side
        self.quantity = quantity
        self.value = value
        self.netted: i64 = 0
        self.moved: i64 = 0

    def follows(self, other: "DeliveryFill") -> bool:
        """Return whether it came after another, by time and then by the number of the trade."""
        if self.ts != other.ts:
            return self.ts > other.ts
        # Trade numbers count up within a second; a longer one is a later one, which plain text
        # order gets wrong at 9 and 10.
        if len(self.trade) != len(other.trade):
            return len(self.trade) > len(other.trade)
        return self.trade >= other.trade


@final
class DayNetting:
    """One instrument's fills under delivery on one day, moved between notes by netting."""

    def __init__(self, delivery: SegmentNote, intraday: SegmentNote) -> None:
        self._delivery = delivery
        self._intraday = intraday
        self._bought: list[DeliveryFill] = []
        self._sold: list[DeliveryFill] = []
        # The first of either side that still has shares to deliver.
        self._buy: i64 = 0
        self._sell: i64 = 0

    def trade(self, fill: DeliveryFill) -> None:
        """Enter a fill and net again; a late report takes its place in time."""
        self._delivery.trade(fill.order, fill.side, fill.value)
        fills = self._bought if fill.side is Side.BUY else self._sold
        if not fills or fill.follows(fills[-1]):
            fills.append(fill)
        else:
            self._undo_netting()
            at = len(fills)
            while at > 0 and not fill.follows(fills[at - 1]):
                at -= 1
            fills.insert(at, fill)
        self._net_fills()

    def delivers(self) -> bool:
        """Return whether more was sold than bought: shares leave the account."""
        left: i64 = 0
        for fill in self._sold:
            left += fill.quantity
        for fill in self._bought:
            left -= fill.quantity
        return left > 0

    def _net_fills(self) -> None:
        while self._buy < len(self._bought) and self._sell < len(self._sold):
            buy, sell = self._bought[self._buy], self._sold[self._sell]
            quantity = min(buy.quantity - buy.netted, sell.quantity - sell.netted)
            self._set_netted(buy, buy.netted + quantity)
            self._set_netted(sell, sell.netted + quantity)
            self._buy += 1 if buy.netted == buy.quantity else 0
            self._sell += 1 if sell.netted == sell.quantity else 0

    def _undo_netting(self) -> None:
        # A fill that came late changes which shares met which. Starting over costs a day's fills
        # once, and is right for every order of reports.
        for fills in (self._bought, self._sold):
            for fill in fills:
                self._set_netted(fill, 0)
        self._buy = 0
        self._sell = 0

    def _set_netted(self, fill: DeliveryFill, netted: i64) -> None:
        """Have so many shares of a fill intraday."""
        assert 0 <= netted <= fill.quantity, "more shares are intraday than were traded"
        moved = pro_rata(fill.value, netted, fill.quantity)
        value = moved - fill.moved
        fill.netted = netted
        fill.moved = moved
        # The value leaves the note of delivery with the order it came with, whose brokerage shrinks
        # by it.
        if value:
            self._delivery.trade(fill.order, fill.side, -value)
            self._intraday.trade(fill.order, fill.side, value)


@final
class DayNotes:
    """All notes of one account's day.

    `total` is their sum, `charged` that of the fills so far (paise).
    """

    def __init__(self) -> None:
        self.total: i64 = 0
        self.charged: i64 = 0
        self._notes: dict[str, SegmentNote] = {}
        self._nettings: IntMap[DayNetting] = IntMap()
        self._last: SegmentNote | None = None  # fills come in runs of one note

    def begin_day(self) -> None:
        """Begin another day."""
        self.total = 0
        self.charged = 0
        self._notes = {}
        self._nettings = IntMap()
        self._last = None

    def lines(self) -> list[int]:
        """Return the lines of the notes by `CHARGES`, and the number of deliveries.

        That is the number of instruments whose shares are delivered out.
        """
        found = [0] * (len(CHARGES) + 1)
        for note in self._notes.values():
            lines = note_lines(note.rates, note.bought, note.sold, note.brokerage)
            for k in range(len(lines)):
                found[k] += lines[k]
        for netting in self._nettings.values():
            found[len(CHARGES)] += 1 if netting.delivers() else 0
        return found

    def note(self, rates: ChargeRates) -> SegmentNote:
        """Return the note on which these rates are charged."""
        last = self._last
        if last is not None and last.rates is rates:
            return last
        key = rates.segment + " " + rates.exchange
        found = self._notes.get(key)
        if found is None:
            found = SegmentNote(rates)
            self._notes[key] = found
        self._last = found
        return found

    def fill(
        self,
        token: i64,
        rates: ChargeRates,
        intraday: ChargeRates | None,
        trade: str,
        ts: i64,
        order: i64,
        side: Side,
        quantity: i64,
        value: i64,
    ) -> i64:
        """Enter a fill worth `value` paise and return its charge.

        It is negative where it makes others cheaper.

        `intraday` are the rates of shares closed on their day, None where that changes nothing;
        `order` is any number of the order's own. The brokerage of an order above ₹1,000 crore is
        that of ₹1,000 crore.
        """
        self._enter_fill(
            token,
            rates,
            intraday,
            DeliveryFill(ts, trade, order=order, side=side, quantity=quantity, value=value),
        )
        return self.settle()

    def enter(
        self,
        token: i64,
        rates: ChargeRates,
        intraday: ChargeRates | None,
        trade: str,
        ts: i64,
        order: i64,
        side: Side,
        quantity: i64,
        value: i64,
        charges: i64,
    ) -> None:
        """Enter a fill whose charges are known.

        The next fill makes good their difference to the notes.
        """
        self._enter_fill(
            token,
            rates,
            intraday,
            DeliveryFill(ts, trade, order=order, side=side, quantity=quantity, value=value),
        )
        self.charged += charges

    def fill_whole(self, note: SegmentNote, side: Side, value: i64) -> i64:
        """Enter an order that trades once, is not netted and stays; return its charge."""
        note.trade_whole(side, value)
        self.total += note.reckon()
        return self.settle()

    def settle(self) -> i64:
        """Return the part of the notes that no fill was charged, and count it as charged."""
        change = self.total - self.charged
        self.charged = self.total
        return change

    def _enter_fill(
        self, token: i64, rates: ChargeRates, intraday: ChargeRates | None, fill: DeliveryFill
    ) -> None:
        note = self.note(rates)
        if intraday is None:
            note.trade(fill.order, fill.side, fill.value)
            self.total += note.reckon()
            return
        other = self.note(intraday)
        netting = self._nettings.get(token)
        if netting is None:
            netting = DayNetting(note, other)
            self._nettings[token] = netting
        netting.trade(fill)
        self.total += note.reckon() + other.reckon()
