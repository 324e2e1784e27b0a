"""Decisions: a strategy's request, its cause, and the verdict of sizing and risk.

Every request is one, and so is every rung whose trigger a price has reached. The same refusal again
within a minute is counted on the first one.
"""

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from compiled.model.number_bounds import ORDER
from compiled.model.values import MINUTE, SECOND, Instrument, paise
from compiled.trading.ladder import Ladder
from compiled.trading.risk import REFUSING, LimitUsage, RefusalReason, RiskLimits, rupees

BAR: Final[i64] = 1
TICK: Final[i64] = 2
TIMER: Final[i64] = 3
HAND: Final[i64] = 4
CAUSES: Final = ("", "bar", "tick", "timer", "operator")

ENTER: Final = "enter"
RUNG: Final = "rung"
EXIT: Final = "exit"
CHANGE: Final = "change"


@mypyc_attr(acyclic=True, free_list_len=1)
@final
class DecisionCause:
    """The cause of a strategy's request: `what` is BAR, TICK, TIMER or HAND.

    `ts` (ns) is when it ended, `price` the price it showed (₹).
    """

    def __init__(self, what: i64, token: i64, ts: i64, price: float) -> None:
        self.what = what
        self.token = token
        self.ts = ts
        self.price = price


@mypyc_attr(acyclic=True)
@final
class DecisionRecord:
    """One request and its verdict.

    `price` (₹) and `quantity` (shares) are the figures of the risk check. `capital` and `risk` are
    in paise. `times` counts it and its repetitions, of which the last was at `last`. `detail` names
    the figure and the limit of a refusal. Numbers of ladder, rung and intent are 0 where there is
    none.
    """

    def __init__(
        self, number: i64, ts: i64, kind: str, ladder: Ladder, cause: DecisionCause, reason: str
    ) -> None:
        self.number = number
        self.ts = ts
        self.kind = kind
        self.strategy = ladder.strategy
        self.token = ladder.instrument.token
        self.side = ladder.side
        self.cause = cause
        self.reason = reason
        self.capital = ladder.plan.capital
        self.risk = ladder.plan.risk
        self.quantity: i64 = 0
        self.price = 0.0
        self.verdict = RefusalReason.OK
        self.detail = ""
        self.ladder: i64 = 0
        self.rung: i64 = 0
        self.intent: i64 = 0
        self.times: i64 = 1
        self.last = ts


@final
class DecisionLog:
    """The unwritten decisions; numbers count on from `first`."""

    def __init__(self, first: i64) -> None:
        self.next_number = first
        self.fresh: list[DecisionRecord] = []
        self.repeated: dict[int, DecisionRecord] = {}
        self.refusals: dict[str, int] = {}
        """How often each reason has refused something, by its name."""
        self._recent: dict[str, DecisionRecord] = {}

    def make(
        self, ts: i64, kind: str, ladder: Ladder, cause: DecisionCause, reason: str
    ) -> DecisionRecord:
        """Return a decision that is still to be judged; it counts once it is kept."""
        return DecisionRecord(
            self.next_number, ts, kind=kind, ladder=ladder, cause=cause, reason=reason
        )

    def keep(self, decision: DecisionRecord) -> None:
        """Keep a decision that led to something."""
        self.next_number = decision.number + 1
        self.fresh.append(decision)

    def refuse(self, decision: DecisionRecord, reason: RefusalReason, symbol: str) -> bool:
        """Keep a refusal, or count it on the same one of the last minute.

        Return whether it is news.
        """
        self.refusals[reason.name] = self.refusals.get(reason.name, 0) + 1
        key = decision.strategy + " " + symbol + " " + reason.name
        # A strategy that asks every second would fill the journal with one and the same refusal.
        known = self._recent.get(key)
        if known is not None and decision.ts < known.ts + MINUTE:
            known.times += 1
            known.last = decision.ts
            self.repeated[known.number] = known
            return False
        decision.verdict = reason
        self._recent[key] = decision
        self.keep(decision)
        return True

    def forget(self) -> None:
        """Drop the decisions that wait to be written down."""
        self.fresh.clear()
        self.repeated.clear()


def explain_refusal(
    reason: RefusalReason,
    instrument: Instrument,
    decision: DecisionRecord,
    limits: RiskLimits,
    usage: LimitUsage,
    silent: i64,
) -> str:
    """Return the figure and the limit behind a refusal.

    `silent` is the ns since the instrument's last packet, -1 without one.
    """
    value = paise(decision.price, decision.quantity)
    if reason is RefusalReason.STALE_DATA:
        # the feed is lost, or nothing has traded yet
        if decision.price > 0.0 and 0 <= silent <= limits.stale_after:
            return ""
        heard = (
            f"last heard {silent // SECOND} s ago"
            if decision.price > 0.0 and silent >= 0
            else "never heard"
        )
        return f"{heard}, the limit is {limits.stale_after // SECOND} s"
    if reason is RefusalReason.SIZE_ZERO:
        risked = f", {rupees(decision.risk)} at risk" if decision.risk > 0 else ""
        return (
            f"{rupees(decision.capital)}{risked} buy no lot of {instrument.lot} at "
            f"₹{decision.price:.2f}"
        )
    if reason is RefusalReason.LOT:
        return f"{decision.quantity} is no multiple of {instrument.lot}"
    if reason is RefusalReason.PRICE_BAND:
        return (
            f"₹{decision.price:.2f} is outside ₹{instrument.lower:.2f} to ₹{instrument.upper:.2f}"
        )
    if reason is RefusalReason.TICK:
        return f"₹{decision.price:.4f} is no multiple of ₹{instrument.tick:g}"
    if reason is RefusalReason.PRICE_RANGE:
        return (
            f"₹{decision.price:.2f} is more than {limits.price_range_percent:g} % from "
            f"₹{decision.cause.price:.2f}"
        )
    if reason is RefusalReason.FREEZE_QUANTITY:
        freeze = instrument.freeze
        return f"{decision.quantity} is above {freeze if 0 < freeze < ORDER else ORDER}"
    if reason is RefusalReason.FUNDS:
        return f"{rupees(value)} wanted, {rupees(usage.funds)} there"
    limit = REFUSING.get(reason)
    return (
        limit.figures(value, usage, limits.value_of(limit.name, usage.strategy))
        if limit is not None
        else ""
    )
