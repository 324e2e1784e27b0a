"""Corporate actions, applied to an account between two of its days."""

import json
from datetime import date
from fractions import Fraction
from math import floor, log

import msgspec

from brokers.sandbox import kite_times
from brokers.sandbox.account.carried_account import (
    CarriedAccount,
    CarriedGtt,
    CarriedHolding,
    CarriedPosition,
)
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.universe import recorded_tape
from engine.market.corporate_actions.action_list import SHARES, CorporateAction, CorporateActions
from engine.market.corporate_actions.action_subject import ActionKind

FINEST = 1_000
"""The largest denominator of a ratio: shares after for shares before."""


def apply_corporate_actions(config: SandboxConfig, carried: CarriedAccount) -> CarriedAccount:
    """Return the carried account after the actions with an ex-date since; raise `DataError`.

    Shares become more or fewer, their GTTs are disabled, as are those that an extraordinary
    dividend or a rights issue cancels. A record whose prices are adjusted for a split already has
    not seen it. Dividends go to the bank.
    """
    if config.actions is None or not carried.day:
        return carried
    actions, opening = CorporateActions.load(config.actions), kite_times.midnight(config.date)
    for key in sorted({*carried.closes, *carried.held_keys}):
        exchange, _, symbol = key.partition(":")
        for action in actions.of_symbol(
            symbol, date.fromisoformat(carried.day), date.fromisoformat(config.date)
        ):
            if action.ex.isoformat() == carried.day or exchange != "NSE":
                continue
            if (
                action.kind in SHARES
                and action.ratio > 0
                and _prices_know_split(config, action, symbol)
            ):
                carried = split_shares(
                    carried, symbol, Fraction(action.ratio).limit_denominator(FINEST), opening
                )
            elif action.kind is ActionKind.RIGHTS or (
                action.kind is ActionKind.DIVIDEND
                and key in carried.closes
                and actions.is_extraordinary(action, carried.closes[key])
            ):
                carried = without_gtts(carried, symbol, "cancelled", opening)
    return carried


def split_shares(
    carried: CarriedAccount, symbol: str, ratio: Fraction, opening: int
) -> CarriedAccount:
    """Return an account in which each share has become `ratio` shares, at the price that follows.

    `opening` in ns UTC. Fractions of a share are paid out to the bank.
    """

    def mine(key: str) -> bool:
        return key.partition(":")[2] == symbol

    carried = without_gtts(carried, symbol, "disabled", opening)
    return msgspec.structs.replace(
        carried,
        holdings=[
            new
            for one in carried.holdings
            if (new := _split_holding(one, ratio) if mine(one.key) else one) is not None
        ],
        positions=[
            _split_position(one, ratio) if mine(one.key) else one for one in carried.positions
        ],
        after_market=[form for form in carried.after_market if form["tradingsymbol"] != symbol],
        closes={
            key: close / float(ratio) if mine(key) else close
            for key, close in carried.closes.items()
        },
    )


def _prices_know_split(config: SandboxConfig, action: CorporateAction, symbol: str) -> bool:
    """Return whether prices of a day know of a split: a crowd's do, a record's may be adjusted."""
    if config.tape is None:
        return True
    record = recorded_tape.TapeRecord(config.tape / f"{symbol}.parquet")
    before, today = record.close_before(config.date), record.bars_of_day(config.date)
    if not before or not today:
        return True
    step = log(today[0].open / before)
    # the night's move is nearer to the split than to none, on a scale of ratios
    return abs(step + log(action.ratio)) < abs(step)


def _split_holding(one: CarriedHolding, ratio: Fraction) -> CarriedHolding | None:
    before, after = one.quantity + one.unsettled, floor((one.quantity + one.unsettled) * ratio)
    if not after:
        return None
    waits = floor(one.unsettled * ratio)
    return CarriedHolding(one.key, after - waits, one.average * before / after, waits)


def _split_position(one: CarriedPosition, ratio: Fraction) -> CarriedPosition:
    """Return a financed position after a split.

    Contracts are adjusted by their exchange, in ways of its own.
    """
    if one.product != "MTF":
        return one
    return msgspec.structs.replace(one, quantity=floor(one.quantity * ratio))


def without_gtts(carried: CarriedAccount, symbol: str, status: str, opening: int) -> CarriedAccount:
    """Return an account whose GTTs on a share have another status since `opening` (ns UTC)."""

    def off(one: CarriedGtt) -> CarriedGtt:
        named = json.loads(one.form["condition"])["tradingsymbol"] == symbol
        return (
            msgspec.structs.replace(one, status=status, updated=opening)
            if named and one.status == "active"
            else one
        )

    return msgspec.structs.replace(carried, gtts=[off(one) for one in carried.gtts])
