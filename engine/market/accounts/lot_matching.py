"""Matching of sales with purchases, first in first out.

Delivery is matched by share, intraday by day, derivatives by contract. What is bought and sold on
one day is intraday, up to the smaller quantity. The rest of a share is delivery: purchases wait as
lots, over all exchanges, and corporate actions change them (a split multiplies the shares, a bonus
adds lots that cost nothing, a demerger moves a part of the cost to the new share). Derivatives wait
in both directions. All amounts are paise; what a lot gives up is rounded so that its parts add up
to the whole.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from math import floor
from typing import NamedTuple

from compiled.model.values import Side
from engine.errors import DataError
from engine.market.accounts.deals import OPTIONS, AccountDeal, Quantity, part_of
from engine.market.asset_classes import AssetClass
from engine.market.corporate_actions.action_list import SHARES, CorporateAction, CorporateActions
from engine.market.corporate_actions.action_subject import ActionKind

DELIVERY, INTRADAY, DERIVATIVES = "delivery", "intraday", "derivatives"


class ClosedLot(NamedTuple):
    """One closed part: `cost` was paid, `proceeds` came in; a short one is closed by its purchase.

    `charges` are those of both sides and include `stt`; `option` says that the contract is one.
    """

    section: str
    exchange: str
    symbol: str
    direction: str
    quantity: Quantity
    opened: date
    closed: date
    cost: int
    proceeds: int
    charges: int
    stt: int
    option: bool = False
    asset: AssetClass = AssetClass.SHARE
    listed: bool = True

    @property
    def difference(self) -> int:
        """Return the profit before all charges."""
        return self.proceeds - self.cost


@dataclass(slots=True)
class OpenLot:
    """An opened quantity that waits to be closed."""

    exchange: str
    symbol: str
    side: Side
    day: date
    quantity: Quantity
    value: int
    charges: int
    stt: int
    asset: AssetClass = AssetClass.SHARE
    listed: bool = True

    def take_part(self, quantity: Quantity) -> "OpenLot":
        """Give up a part, at most all that is left."""
        part = replace(self, quantity=quantity)
        for name in ("value", "charges", "stt"):
            whole = getattr(self, name)
            share = part_of(whole, quantity, self.quantity)
            setattr(part, name, share)
            # What is left is the rest and not another rounding: the parts of a lot add up to it.
            setattr(self, name, whole - share)
        self.quantity -= quantity
        return part


class MatchedLots(NamedTuple):
    """The closed lots, the open ones, and the sales without a purchase on record."""

    lines: list[ClosedLot]
    open: list[OpenLot]
    unmatched: list[OpenLot]


Waiting = defaultdict[str, deque[OpenLot]]


def match_lots(
    deals: Iterable[AccountDeal], actions: CorporateActions | None = None, until: date = date.max
) -> MatchedLots:
    """Match the deals up to `until`, in any order; without `actions` shares are taken as they are.

    Raises `DataError` for a corporate action on shares in hand whose effect is not known.
    """
    named = (
        deal._replace(symbol=actions.current_symbol(deal.symbol))
        if actions and deal.is_security
        else deal
        for deal in deals
    )
    known = sorted((deal for deal in named if deal.day <= until), key=lambda deal: deal.time_key)
    by_day: defaultdict[date, list[AccountDeal]] = defaultdict(list)
    for deal in known:
        by_day[deal.day].append(deal)
    events = _actions_by_day({deal.symbol for deal in known if deal.is_security}, actions)
    shares: Waiting = defaultdict(deque)
    contracts: Waiting = defaultdict(deque)
    found = MatchedLots([], [], [])
    # An action comes before the trades of its ex-date, which are already at the new price.
    for day in sorted({*by_day, *(ex for ex in events if ex <= until)}):
        for action in events.get(day, []):
            assert actions is not None
            _apply_action(action, actions, shares)
        _match_securities([deal for deal in by_day.get(day, []) if deal.is_security], shares, found)
        for deal in by_day.get(day, []):
            if not deal.is_security:
                _close_lots(
                    _lot_of_deal(deal),
                    contracts[f"{deal.exchange}:{deal.symbol}"],
                    DERIVATIVES,
                    found,
                    deal.segment,
                )
    found.open.extend(
        lot for waiting in (shares, contracts) for lots in waiting.values() for lot in lots
    )
    return found


def _actions_by_day(
    symbols: set[str], actions: CorporateActions | None
) -> dict[date, list[CorporateAction]]:
    """Return by ex-date the possible actions on these shares and on their successors."""
    events: defaultdict[date, list[CorporateAction]] = defaultdict(list)
    ahead = sorted(symbols) if actions else []
    # A demerged share may itself be divided later: its actions count as well.
    while ahead and actions:
        for action in actions.of_symbol(ahead.pop()):
            if action.kind in SHARES or action.kind is ActionKind.DEMERGER:
                events[action.ex].append(action)
            into = actions.demerged_symbol(action)
            if into and into not in symbols:
                symbols = symbols | {into}
                ahead.append(into)
    return events


def _match_securities(deals: list[AccountDeal], shares: Waiting, found: MatchedLots) -> None:
    """Match one day's deals in shares: within the day first, then with the lots."""
    today: defaultdict[tuple[str, str, str], deque[OpenLot]] = defaultdict(deque)
    for deal in deals:
        # units bought off the exchange have one price a day and are never intraday
        side = deal.side.name if deal.segment.startswith("MF_") else ""
        _close_lots(
            _lot_of_deal(deal),
            today[deal.exchange, deal.symbol, deal.segment + side],
            INTRADAY,
            found,
        )
    for rest in today.values():
        for lot in rest:
            if lot.side is Side.BUY:
                shares[lot.symbol].append(lot)
            # Delivery cannot be short: what has no purchase was bought before the first trade on
            # record.
            elif left := _close_lots(lot, shares[lot.symbol], DELIVERY, found, wait=False):
                found.unmatched.append(left)


def _close_lots(
    lot: OpenLot,
    waiting: deque[OpenLot],
    section: str,
    found: MatchedLots,
    segment: str = "",
    *,
    wait: bool = True,
) -> OpenLot | None:
    """Close the oldest lots of the other side; the rest waits, or is returned."""
    while lot.quantity and waiting and waiting[0].side is not lot.side:
        quantity = min(lot.quantity, waiting[0].quantity)
        found.lines.append(
            _closed_lot(
                section, waiting[0].take_part(quantity), lot.take_part(quantity), segment in OPTIONS
            )
        )
        if not waiting[0].quantity:
            waiting.popleft()
    # Derivatives wait in both directions.
    if lot.quantity and wait:
        waiting.append(lot)
    return lot if lot.quantity else None


def _closed_lot(section: str, first: OpenLot, second: OpenLot, option: bool) -> ClosedLot:
    bought, sold = (first, second) if first.side is Side.BUY else (second, first)
    return ClosedLot(
        section,
        second.exchange,
        symbol=second.symbol,
        direction="long" if first.side is Side.BUY else "short",
        quantity=first.quantity,
        opened=first.day,
        closed=second.day,
        cost=bought.value,
        proceeds=sold.value,
        charges=first.charges + second.charges,
        stt=first.stt + second.stt,
        option=option,
        asset=second.asset,
        listed=second.listed,
    )


def _lot_of_deal(deal: AccountDeal) -> OpenLot:
    listed = not deal.segment.startswith("MF_")
    return OpenLot(
        deal.exchange,
        deal.symbol,
        side=deal.side,
        day=deal.day,
        quantity=deal.quantity,
        value=deal.value,
        charges=deal.charges,
        stt=deal.stt,
        asset=deal.asset,
        listed=listed,
    )


def _apply_action(action: CorporateAction, actions: CorporateActions, shares: Waiting) -> None:
    lots = shares.get(action.symbol)
    if not lots:
        return
    if action.kind is ActionKind.DEMERGER:
        _apply_demerger(action, actions, lots, shares)
        return
    if action.ratio <= 0:
        raise DataError(f"{action.symbol} on {action.ex}: no ratio in {action.text!r}")
    if action.kind is ActionKind.BONUS:
        # 1e-9: 30 * (4/3 - 1) is a little below ten. The fraction of a share is paid out in cash.
        extra = floor(float(sum(lot.quantity for lot in lots)) * (action.ratio - 1.0) + 1e-9)
        if extra:
            lots.append(
                OpenLot(
                    lots[0].exchange,
                    action.symbol,
                    side=Side.BUY,
                    # A bonus share is held from its own allotment on, not from the purchase of the
                    # one it came of.
                    day=action.ex,
                    quantity=extra,
                    value=0,
                    charges=0,
                    stt=0,
                )
            )
        return
    for lot, quantity in zip(lots, _multiplied_shares(lots, action.ratio), strict=True):
        lot.quantity = quantity


def _apply_demerger(
    action: CorporateAction, actions: CorporateActions, lots: deque[OpenLot], shares: Waiting
) -> None:
    row = actions.demerger(action)
    for lot, quantity in zip(list(lots), _multiplied_shares(lots, row.ratio), strict=True):
        moved = [round(amount * (1.0 - row.share)) for amount in (lot.value, lot.charges, lot.stt)]
        lot.value, lot.charges, lot.stt = (
            lot.value - moved[0],
            lot.charges - moved[1],
            lot.stt - moved[2],
        )
        if quantity:
            value, charges, stt = moved
            shares[row.into].append(
                OpenLot(
                    lot.exchange,
                    row.into,
                    side=Side.BUY,
                    # A demerged share has the holding period of the one it came out of.
                    day=lot.day,
                    quantity=quantity,
                    value=value,
                    charges=charges,
                    stt=stt,
                    asset=lot.asset,
                )
            )


def _multiplied_shares(lots: Iterable[OpenLot], ratio: float) -> list[int]:
    """Return each lot's shares after a ratio.

    The fraction of the sum is lost, as it is paid out in cash.
    """
    before, after = 0.0, [0]
    for lot in lots:
        before += float(lot.quantity)
        after.append(floor(before * ratio + 1e-9))
    return [later - earlier for earlier, later in pairwise(after)]
