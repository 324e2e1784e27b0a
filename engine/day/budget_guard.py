"""The budget guard: the account must be able to pay for the strategies before the first entry."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final

from compiled.accounting.charges import order_charges, rates_key
from compiled.model.values import (
    SECOND,
    Instrument,
    Order,
    OrderPurpose,
    OrderType,
    Product,
    Side,
    paise,
)
from compiled.trading.kernel import Kernel
from compiled.trading.risk import RiskLimits, whole_lots
from engine.day.day_loop import DayLoop
from engine.errors import OperatorError, RetryableError
from engine.manual.margin import Margins, estimate_margin

AGAIN: Final = 30 * SECOND
"""Between two comparisons while there is too little."""
NAME: Final = "budget"
PROBE: Final = 100_000_00
"""Paise of the purchase that is asked about."""


class BudgetGuard:
    """Holds entries back until the budgets are covered by funds and the desk's holdings.

    A strategy's budget is its limit, else its `totals` (paise), else the account's limit on
    exposure, which bounds them all together. The blocked part of a rupee of shares is the broker's
    own calculation; our estimate is logged beside it. Once covered, it is done.
    """

    def __init__(
        self,
        loop: DayLoop,
        funds: Callable[[], Awaitable[int]],
        margins: Margins,
        totals: Mapping[str, int],
    ) -> None:
        self._loop = loop
        self._funds = funds
        self._margins = margins
        self._totals = totals
        loop.hold(NAME, "the budgets have not been compared with the funds yet")

    async def run(self) -> None:
        """Compare until the funds suffice."""
        share, reported = 0.0, ""
        while True:
            try:
                share = share or await self._blocked_share()
                why = shortfall_text(self._needed_paise(), share, await self._funds())
            except (RetryableError, OperatorError) as error:
                why = f"the funds cannot be compared with the budgets: {error}"
            self._loop.hold(NAME, why)
            if not why:
                self._loop.log.add_event("info", NAME, "the funds cover the budgets")
                return
            if why != reported:
                reported = why
                self._loop.log.add_event("alarm", NAME, f"no new entries: {why}")
            await self._loop.clock.sleep_until(self._loop.clock.now() + AGAIN)

    def _needed_paise(self) -> int:
        """Return the paise that may still be spent on shares."""
        kernel = self._loop.kernel
        names = [slot.strategy.name for slot in kernel.state.slots]
        return max(
            0, committed_paise(names, kernel.limits, self._totals) - int(kernel.ledger.exposure)
        )

    async def _blocked_share(self) -> float:
        """Return the blocked part of a rupee of shares, of the strategies' dearest instrument.

        It is the broker's calculation.
        """
        probes = list(_probe_orders(self._loop.kernel))
        if not probes:
            return 1.0
        theirs = await self._margins([order for order, _ in probes])
        shares = []
        for (order, instrument), blocked in zip(probes, theirs, strict=True):
            value = int(paise(order.price, order.quantity))
            rates = self._loop.kernel.state.rates[rates_key(order.token, order.product)]
            ours = estimate_margin(
                order.product, value, int(order_charges(rates, order.side, order.quantity, value))
            )
            text = (
                f"{order.quantity} {instrument.symbol} block {_rupee_text(blocked)} by the "
                f"broker, {_rupee_text(ours)} by our estimate"
            )
            self._loop.log.add_event(
                "info" if abs(blocked - ours) <= ours // 100 else "warn", "margin", text
            )
            shares.append(blocked / value)
        return max(shares)


def committed_paise(
    strategies: Iterable[str], limits: RiskLimits, totals: Mapping[str, int]
) -> int:
    """Return the most all these strategies together may have in positions, in paise."""
    most = int(limits.max_exposure)
    return min(
        most, sum(int(limits.budgets.get(name, totals.get(name, most))) for name in strategies)
    )


def shortfall_text(needed: int, share: float, funds: int) -> str:
    """Return by how much the funds fall short of `needed` paise of shares, else an empty string."""
    blocked = round(needed * share)
    if blocked <= funds:
        return ""
    return (
        f"the budgets may block {_rupee_text(blocked)} more, the account has {_rupee_text(funds)}: "
        "lower risk.max_exposure or the strategies' budgets, or add funds"
    )


def _probe_orders(kernel: Kernel) -> Iterator[tuple[Order, Instrument]]:
    """Yield one delivery purchase at the previous close per strategy, in its first instrument."""
    for number, slot in enumerate(kernel.state.slots, 1):
        instrument = next((kernel.view.instrument(token) for token in slot.tokens), None)
        if instrument is None or instrument.close <= 0.0:
            continue
        price = instrument.snap(instrument.close)
        quantity = max(int(whole_lots(instrument, PROBE, price)), int(instrument.lot))
        yield (
            Order(
                -number,
                "probe",
                strategy=slot.strategy.name,
                token=instrument.token,
                side=Side.BUY,
                quantity=quantity,
                order_type=OrderType.LIMIT,
                product=Product.CNC,
                purpose=OrderPurpose.ENTRY,
                price=price,
            ),
            instrument,
        )


def _rupee_text(amount: int) -> str:
    return f"₹{amount / 100:.2f}"
