"""Benchmark of charges: an order's contract note, beside the same sums in decimals."""

import random
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from contender import timed
from report import plural, section, table

from compiled.accounting.charges import (
    NANO,
    ChargeRates,
    contract_note,
    estimate_charges,
    order_charges,
)
from compiled.model.values import Side
from engine.market.charges import load_rate_table

DAY = 20260701
PAISA = Decimal(1)


def orders(count: int, seed: int = 42) -> list[tuple[Side, int, int]]:
    """Return executed orders: side, shares, and traded value in paise."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        quantity = rng.randrange(1, 2_000)
        made.append(
            (
                rng.choice((Side.BUY, Side.SELL)),
                quantity,
                quantity * rng.randrange(2_000, 400_000, 5),
            )
        )
    return made


def exact(rates: ChargeRates, side: Side, value: int) -> int:
    """Return the same charges in decimal arithmetic, from the rates alone."""

    def share(rate: int) -> Decimal:
        return Decimal(value) * rate / NANO

    brokerage = Decimal(rates.flat) + share(rates.brokerage)
    if rates.cap >= 0:
        brokerage = min(brokerage, Decimal(rates.cap))
    served = brokerage + share(rates.txn) + share(rates.ipft) + share(rates.sebi)
    buys = side == Side.BUY
    taxed = share(rates.tax_buy if buys else rates.tax_sell) + share(
        rates.stamp_buy if buys else rates.stamp_sell
    )
    return int((served * (1 + Decimal(rates.gst) / NANO) + taxed).quantize(PAISA, ROUND_HALF_UP))


def run(*, quick: bool = False) -> dict[str, object]:
    """Return the section of the report."""
    count, rounds = (10_000, 2) if quick else (200_000, 5)
    rates, work = load_rate_table().rates("EQ_INTRADAY", "NSE", DAY), orders(count)
    checked = work[:1_000]
    assert [order_charges(rates, *order) for order in checked] == [
        exact(rates, side, value) for side, _, value in checked
    ], "the decimal arithmetic came to other charges"
    buys = [value for side, _, value in checked if side == Side.BUY]
    sells = [value for side, _, value in checked if side == Side.SELL]
    contenders: dict[str, tuple[int, Callable[[], object]]] = {
        "order_charges, to the paisa": (
            count,
            lambda: [order_charges(rates, *order) for order in work],
        ),
        "estimate, item by item": (
            count,
            lambda: [estimate_charges(rates, s, q, v / q / 100) for s, q, v in work],
        ),
        "note, a day's orders": (len(checked), lambda: contract_note(rates, buys, sells)),
        "decimal arithmetic": (
            len(checked),
            lambda: [exact(rates, side, value) for side, _, value in checked],
        ),
    }
    speed = {name: each / timed(call, rounds) / 1e6 for name, (each, call) in contenders.items()}
    return section(
        "Charges",
        f"{plural(count, 'executed order')} of equity intraday at NSE, called from interpreted "
        "Python; the decimal"
        " arithmetic comes to the same paise.",
        [
            table(
                "Orders per second",
                [
                    {
                        "what": name,
                        "M orders/s": value,
                        "times decimal": value / speed["decimal arithmetic"],
                    }
                    for name, value in speed.items()
                ],
            )
        ],
        [],
    )
