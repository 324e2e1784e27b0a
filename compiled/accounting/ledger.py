"""Positions, average prices, P&L and cash, to the paisa.

Every amount is whole paise. A fill is worth `values.paise(price, quantity)`; where a part of it, or
of an open cost, is needed, the part is pro rata, rounded half away from zero, and the rest is the
remainder: nothing is ever lost.
"""

from typing import final

from librt.vecs import append, vec
from mypy_extensions import i64

from compiled.model.int_map import IntMap
from compiled.model.values import Side, nearest, paise


def pro_rata(amount: i64, part: i64, whole: i64) -> i64:
    """Return the `part` in `whole` of an amount in paise, rounded half away from zero.

    It is exact for `whole` < 2^31.
    """
    assert 0 <= part <= whole, "a part is larger than its whole"
    size = amount if amount >= 0 else -amount
    # Quotient and remainder are taken apart: amount times part would leave 63 bits for a large
    # cost.
    each = size // whole
    rest = size - each * whole
    cut = each * part + (2 * rest * part + whole) // (2 * whole)
    return cut if amount >= 0 else -cut


@final
class Position:
    """A strategy's position in one instrument, or (`strategy` empty) the account's.

    Law, for the average method: `carried_value + buy_value - sell_value + realised == value`.
    Quantities are signed shares, values signed paise, `last` the last price in rupees.
    `realised_fifo` is the same P&L when the oldest shares are sold first; both methods agree
    whenever the position is flat.
    """

    def __init__(self, strategy: str, token: i64, last: float) -> None:
        self.strategy = strategy
        self.token = token
        self.last = last
        self.quantity: i64 = 0
        self.value: i64 = 0
        self.realised: i64 = 0
        self.realised_fifo: i64 = 0
        self.marked: i64 = 0
        self.charges: i64 = 0
        self.buy_quantity: i64 = 0
        self.buy_value: i64 = 0
        self.sell_quantity: i64 = 0
        self.sell_value: i64 = 0
        self.carried_quantity: i64 = 0
        self.carried_value: i64 = 0
        # Quantity and cost of each open purchase (or short sale), oldest first, both unsigned.
        self._lots = vec[i64]()
        self._oldest: i64 = 0

    @property
    def average(self) -> float:
        """Return the average price of the open quantity in rupees, 0.0 when flat."""
        return float(self.value) / float(self.quantity) / 100.0 if self.quantity else 0.0

    @property
    def unrealised(self) -> i64:
        """Return the gain of its open quantity at the last price, in paise."""
        quantity = self.quantity
        if quantity == 0:
            return 0
        return paise(self.last, quantity) - self.value

    def mark(self, price: float) -> i64:
        """Value the position at a price in rupees.

        Return the change of `unrealised` in paise since the last call.
        """
        self.last = price
        if self.quantity == 0 and self.marked == 0:
            return 0
        before = self.marked
        self.marked = self.unrealised
        return self.marked - before

    def trade(self, side: Side, quantity: i64, value: i64) -> i64:
        """Book a fill worth `value` paise; return its realised P&L (average method) in paise."""
        assert quantity > 0, "a fill moves shares"
        if side is Side.BUY:
            self.buy_quantity += quantity
            self.buy_value += value
            return self._book_quantity(quantity, value)
        self.sell_quantity += quantity
        self.sell_value += value
        return self._book_quantity(-quantity, -value)

    def carry(self, quantity: i64, value: i64) -> i64:
        """Book a signed quantity and cost from an earlier day.

        Return the P&L it realises against the position so far.
        """
        self.carried_quantity += quantity
        self.carried_value += value
        return self._book_quantity(quantity, value)

    def restate(self, quantity: i64) -> i64:
        """Let its shares be so many for the same cost, at the last price they are marked at.

        Return the P&L it realises in paise: where none are left, their cost is lost.
        """
        cost: i64 = 0
        for i in range(self._oldest, len(self._lots), 2):
            cost += self._lots[i + 1]
        sign: i64 = 1 if self.quantity > 0 else -1
        realised: i64 = 0
        self.carried_quantity += quantity - self.quantity
        self.quantity = quantity
        self._lots = vec[i64]()
        self._oldest = 0
        if quantity == 0:
            # A fraction of a share that a consolidation leaves is paid out in cash, and its cost
            # must not weigh on shares that are bought later.
            realised = -self.value
            self.realised += realised
            self.realised_fifo -= sign * cost
            self.value = 0
        else:
            # A division leaves no telling which shares were bought when: they become one lot at
            # the same cost.
            self._lots = append(append(self._lots, sign * quantity), cost)
        self.marked = self.unrealised
        self._assert_law()
        return realised

    def _assert_law(self) -> None:
        paid = self.carried_value + self.buy_value - self.sell_value
        assert paid + self.realised == self.value, "the cost of a position is not what was paid"
        if self.quantity == 0:
            assert self.value == 0, "a flat position has a cost"
            assert self.realised == self.realised_fifo, "two methods differ on a flat position"

    def _book_quantity(self, quantity: i64, cost: i64) -> i64:
        sign: i64 = 1 if self.quantity > 0 else -1
        held = sign * self.quantity
        size = -sign * quantity
        if held == 0 or size < 0:
            self._open_lot(quantity, cost)
            self._assert_law()
            return 0
        closed = min(held, size)
        # Both sides of the close are cut by the same shares; the remainder stays with the open
        # part, so that no paisa is lost between a fill's parts.
        paid = pro_rata(cost, closed, size)
        released = pro_rata(self.value, closed, held)
        self.quantity -= sign * closed
        self.value -= released
        self.realised -= released + paid
        self.realised_fifo -= sign * self._release_lots(closed) + paid
        # A fill larger than the position turns it: its rest opens the other side.
        if size > closed:
            self._open_lot(quantity + sign * closed, cost - paid)
        self._assert_law()
        return -released - paid

    def _open_lot(self, quantity: i64, cost: i64) -> None:
        sign: i64 = 1 if quantity > 0 else -1
        self.quantity += quantity
        self.value += cost
        self._lots = append(append(self._lots, sign * quantity), sign * cost)

    def _release_lots(self, quantity: i64) -> i64:
        """Take shares from the oldest lots; return their cost, unsigned, in paise."""
        lots = self._lots
        i = self._oldest
        left = quantity
        cost: i64 = 0
        while left > 0:
            taken = min(left, lots[i])
            part = pro_rata(lots[i + 1], taken, lots[i])
            lots[i] -= taken
            lots[i + 1] -= part
            cost += part
            left -= taken
            if lots[i] == 0:
                i += 2
        # Dropping each spent lot by itself would copy the vector for every sale, dropping none
        # would let it grow without end.
        if i >= 64 and 2 * i >= len(lots):
            lots = lots[i:]
            i = 0
        self._lots = lots
        self._oldest = i
        return cost


@final
class Ledger:
    """The positions and the cash of one account, by strategy and in total.

    `cash == start_cash + Σ sell value - Σ buy value - Σ charges`, always. `realised` and
    `unrealised` are the sums over the strategies' positions, in paise.
    """

    def __init__(self, cash: i64) -> None:
        self.start_cash = cash
        self.cash = cash
        self.proceeds: i64 = 0
        """Σ sell value - Σ buy value: the second account of what moves `cash`."""
        self.charges: i64 = 0
        self.realised: i64 = 0
        self.unrealised: i64 = 0
        self._positions: list[Position] = []
        self._accounts: list[Position] = []
        # By token: the account's position, then the strategies'.
        self._held: IntMap[list[Position]] = IntMap()

    @property
    def net(self) -> i64:
        """Return the P&L after charges, in paise."""
        return self.realised + self.unrealised - self.charges

    @property
    def exposure(self) -> i64:
        """Return the worth of the account's open positions in paise, long and short added.

        They are valued at their last prices.
        """
        total: i64 = 0
        for position in self._accounts:
            value = paise(position.last, position.quantity)
            total += value if value >= 0 else -value
        return total

    def fill(
        self, strategy: str, token: i64, side: Side, quantity: i64, price: float, last: float = 0.0
    ) -> i64:
        """Book a fill of `quantity` shares at `price` rupees.

        Return the strategy's realised P&L in paise.

        Until the first `mark` the position is valued at `last`, the instrument's last price in
        rupees, or at the fill's own where none is known (0.0).
        """
        position = self.open_position(strategy, token, last if last > 0.0 else price)
        return self.book(self._held[token][0], position, side, quantity, paise(price, quantity))

    def book(
        self, account: Position, position: Position, side: Side, quantity: i64, value: i64
    ) -> i64:
        """Book a fill worth `value` paise on a strategy's position and the account's.

        Return the P&L it realises for the strategy.
        """
        account.trade(side, quantity, value)
        realised = position.trade(side, quantity, value)
        if side is Side.BUY:
            self.cash -= value
            self.proceeds -= value
        else:
            self.cash += value
            self.proceeds += value
        self.realised += realised
        self.unrealised += position.mark(position.last)
        return realised

    def charge(self, strategy: str, token: i64, amount: i64) -> None:
        """Take charges of `amount` paise off the cash."""
        position = self.open_position(strategy, token, 0.0)
        self.take_charges(self._held[token][0], position, amount)

    def take_charges(self, account: Position, position: Position, amount: i64) -> None:
        """Take charges of `amount` paise for a fill of a strategy's position."""
        position.charges += amount
        account.charges += amount
        self.charges += amount
        self.cash -= amount
        assert self.cash == self.start_cash + self.proceeds - self.charges, "cash is missing"

    def deposit(self, amount: i64) -> None:
        """Book cash that was paid in, or out (negative), in paise."""
        self.start_cash += amount
        self.cash += amount

    def mark(self, token: i64, price: float) -> None:
        """Value an instrument's positions at its last price in rupees."""
        held = self._held.get(token)
        if held is not None:
            self.revalue(held, price)

    def held(self, token: i64) -> list[Position] | None:
        """Return an instrument's positions for `revalue`: the account's, then the strategies'.

        It is None before a fill.
        """
        return self._held.get(token)

    def revalue(self, held: list[Position], price: float) -> None:
        """Value one instrument's positions at its last price in rupees."""
        held[0].last = price
        for i in range(i64(1), i64(len(held))):
            position = held[i]
            # Flat positions stay listed for the day's P&L, and need no valuation.
            if position.quantity == 0 and position.marked == 0:
                position.last = price
            else:
                self.unrealised += position.mark(price)

    def carry(self, strategy: str, token: i64, quantity: i64, average: float) -> None:
        """Bring a position over from an earlier day: signed shares at an average price in rupees.

        No cash moves.
        """
        value = nearest(average * float(quantity) * 100.0)  # an average is no price on a grid
        position = self.open_position(strategy, token, average)
        self._held[token][0].carry(quantity, value)
        self.realised += position.carry(quantity, value)
        self.mark(token, position.last)

    def restate(self, position: Position, quantity: i64, last: float) -> None:
        """Set a position's shares, cost and last price.

        It serves one that was brought over and has been divided.
        """
        before = position.marked
        position.last = last
        realised = position.restate(quantity)
        # The account's position has no part in the sums of P&L, which go by strategies.
        if position.strategy:
            self.realised += realised
            self.unrealised += position.marked - before

    def position(self, strategy: str, token: i64) -> Position | None:
        """Return a strategy's position in an instrument, open or flat."""
        held = self._held.get(token)
        if held is None:
            return None
        for i in range(1, len(held)):
            if held[i].strategy == strategy:
                return held[i]
        return None

    def account(self, token: i64) -> Position | None:
        """Return the account's position in an instrument: all strategies netted."""
        held = self._held.get(token)
        return None if held is None else held[0]

    def positions(self) -> list[Position]:
        """Return every strategy's positions, flat ones included, in order of first fill."""
        return list(self._positions)

    def strategy_net(self, strategy: str) -> i64:
        """Return a strategy's P&L after charges, in paise."""
        total: i64 = 0
        for position in self._positions:
            if position.strategy == strategy:
                total += position.realised + position.unrealised - position.charges
        return total

    def account_positions(self) -> list[Position]:
        """Return the account's positions, flat ones included, in order of first fill."""
        return list(self._accounts)

    def open_position(self, strategy: str, token: i64, price: float) -> Position:
        """Return a strategy's position in an instrument.

        Where there is none yet, it is an empty one with that last price (rupees).
        """
        position = self.position(strategy, token)
        if position is not None:
            if position.last == 0.0:
                self.mark(token, price)
            return position
        held = self._held.get(token)
        if held is None:
            account = Position("", token, price)
            self._accounts.append(account)
            held = [account]
            self._held[token] = held
        position = Position(strategy, token, held[0].last or price)
        held.append(position)
        self._positions.append(position)
        return position
