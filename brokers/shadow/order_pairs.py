"""A real order and its simulated twin side by side, and the statistics of many such pairs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

from compiled.model.values import SECOND, OrderStatus, Side, paise


@dataclass(slots=True)
class PairHalf:
    """Side of a pair: shares filled, value in paise, first and last fill (ns, 0: none), state."""

    status: str = ""
    filled: int = 0
    value: int = 0
    first: int = 0
    last: int = 0

    def add_fill(self, ts: int, quantity: int, price: float) -> None:
        """Add a fill."""
        self.filled += quantity
        self.value += paise(price, quantity)
        # The delay of a pair compares first fills: how long the last takes is a matter of size.
        self.first = self.first or ts
        self.last = ts

    @property
    def average(self) -> float:
        """Return the average price in rupees, 0.0 without a fill."""
        return self.value / self.filled / 100 if self.filled else 0.0


@dataclass(slots=True)
class OrderPair:
    """One order, or (`kind` gtt) the order of a GTT.

    `sent` and `answered` in ns of the desk's clock.
    """

    intent: int
    kind: str
    strategy: str
    token: int
    symbol: str
    side: Side
    quantity: int
    sent: int
    answered: int = 0
    order_id: str = ""
    real: PairHalf = field(default_factory=PairHalf)
    twin: PairHalf = field(default_factory=PairHalf)

    @property
    def is_live(self) -> bool:
        """Return whether the real order may still trade."""
        return self.real.status in {"", OrderStatus.OPEN.name, OrderStatus.TRIGGER_PENDING.name}

    def row(self) -> dict[str, object]:
        """Return the row of the `shadow` table."""
        return {
            "intent": self.intent,
            "kind": self.kind,
            "strategy": self.strategy,
            "token": self.token,
            "symbol": self.symbol,
            "side": self.side.name,
            "quantity": self.quantity,
            "sent": self.sent,
            "answered": self.answered,
            "order_id": self.order_id,
            **_half_columns("real", self.real),
            **_half_columns("twin", self.twin),
        }


def _half_columns(name: str, half: PairHalf) -> dict[str, object]:
    return {
        f"{name}_status": half.status,
        f"{name}_filled": half.filled,
        f"{name}_value": half.value,
        f"{name}_first": half.first,
        f"{name}_last": half.last,
    }


def pair_of(row: Mapping[str, Any]) -> OrderPair:
    """Return a pair as it was written down."""
    real, twin = (
        PairHalf(
            *(row[f"{side}_{name}"] for name in ("status", "filled", "value", "first", "last"))
        )
        for side in ("real", "twin")
    )
    return OrderPair(
        row["intent"],
        row["kind"],
        strategy=row["strategy"],
        token=row["token"],
        symbol=row["symbol"],
        side=Side[row["side"]],
        quantity=row["quantity"],
        sent=row["sent"],
        answered=row["answered"],
        order_id=row["order_id"],
        real=real,
        twin=twin,
    )


class TwinDifference(NamedTuple):
    """Difference live minus twin.

    `price` in rupees a share and `bps` against us where both have filled, `delay` in ns to the
    first fill. A positive price is money the simulation did not see us lose.
    """

    filled: int
    price: float | None
    bps: float | None
    delay: int | None


def twin_difference(pair: OrderPair) -> TwinDifference:
    """Return what the market did to the real order that it did not do to the twin."""
    real, twin = pair.real, pair.twin
    if not real.filled or not twin.filled:
        return TwinDifference(real.filled - twin.filled, None, None, None)
    price = int(pair.side) * (real.average - twin.average)
    return TwinDifference(
        real.filled - twin.filled, price, price / twin.average * 10_000, real.first - twin.first
    )


class ShadowSummary(NamedTuple):
    """Summary of the pairs: money in rupees, times in seconds, None without a comparison.

    `cost` is what live fills cost more than the twins' prices would have, on the shares both have
    filled. `delay_s` compares first fills, `answer_s` is how long the broker took to answer; both
    are medians.
    """

    orders: int
    both: int
    only_live: int
    only_twin: int
    neither: int
    cost: float
    bps: float | None
    worst_bps: float | None
    delay_s: float | None
    answer_s: float | None


def shadow_summary(pairs: Iterable[OrderPair]) -> ShadowSummary:
    """Sum pairs up; those without a twin (`twin.status` "none") are left out."""
    # A restart ends a twin whose real order went on: nothing of the two can be compared.
    known = [pair for pair in pairs if pair.twin.status != "none"]
    filled = [
        (pair, twin_difference(pair)) for pair in known if pair.real.filled and pair.twin.filled
    ]
    cost = sum(
        # On the shares that both have: the rest is a difference in fills and not in price.
        min(pair.real.filled, pair.twin.filled) * (told.price or 0.0)
        for pair, told in filled
    )
    bps = [told.bps for _, told in filled if told.bps is not None]
    answers = [pair.answered - pair.sent for pair in known if pair.answered]
    return ShadowSummary(
        len(known),
        len(filled),
        only_live=sum(1 for pair in known if pair.real.filled and not pair.twin.filled),
        only_twin=sum(1 for pair in known if pair.twin.filled and not pair.real.filled),
        neither=sum(1 for pair in known if not pair.twin.filled and not pair.real.filled),
        cost=round(cost, 2),
        bps=_rounded_median(bps),
        worst_bps=max(bps, default=None),
        delay_s=_median_seconds([told.delay for _, told in filled if told.delay is not None]),
        answer_s=_median_seconds(answers),
    )


def _rounded_median(values: Sequence[float]) -> float | None:
    return round(median(values), 2) if values else None


def _median_seconds(values: Sequence[int]) -> float | None:
    return round(median(values) / SECOND, 3) if values else None
