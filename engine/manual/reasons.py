"""What each reason code means to the operator, and which setting or fact stands behind it; `docs/risk.md` shows it."""

from typing import Final, NamedTuple

from compiled.risk import Reason


class Meaning(NamedTuple):
    """Why an entry was not sent, and the limit that said so."""

    text: str
    limit: str


LIMIT_ONLY: Final = (
    "this broker takes LIMIT orders only: strategies do not enter, orders are placed by hand, and nothing protects them"
)
"""The state of a desk at such a broker."""

MEANINGS: Final[dict[Reason, Meaning]] = {
    Reason.KILLED: Meaning("the kill switch is latched", ""),
    Reason.NOT_READY: Meaning(
        "the desk holds entries back: its books are not the broker's, or he does not answer",
        "[reconciliation](reconciliation.md)",
    ),
    Reason.INDEX: Meaning("an index is watched, never traded: its contracts are", ""),
    Reason.LIMIT_ONLY: Meaning(
        "the broker takes plain LIMIT orders by hand only, and none with a stop: nothing can be protected there",
        "[Kite's own sandbox](kite.md#kites-own-sandbox)",
    ),
    Reason.WARMING: Meaning("the instrument's history is still being read", "`feed.watch`: fewer names"),
    Reason.VARIETY: Meaning(
        "the simulated exchange of paper trading takes no orders of that variety", "[orders](orders.md)"
    ),
    Reason.BOUNDS: Meaning("a number of the request is none that an order may have", "[numbers](security.md#numbers)"),
    Reason.SESSION: Meaning(
        "the instrument is not in continuous trading, which an entry needs; or it is, and the entry is an after-market order",
        "[its hours](calendar.md#the-desks-day)",
    ),
    Reason.SQUARE_OFF: Meaning("it is intraday (MIS), and those are over for the day", "`risk.square_off_before_s`"),
    Reason.STALE_DATA: Meaning(
        "the instrument has not ticked lately, or its ticks come late", "`feed.stale_after_s`, `feed.late_after_s`"
    ),
    Reason.STRATEGY_STOPPED: Meaning("its strategy has failed, or has reached a loss limit of its own", ""),
    Reason.SHORT_DELIVERY: Meaning("delivery shares cannot be sold short", ""),
    Reason.PRODUCT: Meaning(
        "the instrument is not traded under this product (shares: CNC, MIS, MTF; contracts: NRML, MIS)", ""
    ),
    Reason.TERMS: Meaning("kind, price, validity and variety of the order do not go together", "[orders](orders.md)"),
    Reason.SIZE_ZERO: Meaning("the rung's capital buys no lot", "`strategy.*.capital`"),
    Reason.LOT: Meaning("the quantity is no multiple of the lot", "the instrument"),
    Reason.TICK: Meaning("the price is off the grid", "the instrument"),
    Reason.PRICE_BAND: Meaning("the price is outside the day's band", "the instrument"),
    Reason.FREEZE_QUANTITY: Meaning("the quantity is above the exchange's freeze quantity", "the instrument"),
    Reason.ORDER_VALUE: Meaning("the order is too large", "`risk.max_order_value`"),
    Reason.PRICE_RANGE: Meaning("the price is too far from the last one", "`risk.price_range_percent`"),
    Reason.DUPLICATE: Meaning(
        "the strategy already has a ladder on the instrument, or would have: a dry run remembers it for the day", ""
    ),
    Reason.THROTTLE: Meaning("the strategy has entered too often within a minute", "`risk.max_orders_per_minute`"),
    Reason.POSITIONS: Meaning("too many rungs are open", "`risk.max_positions`"),
    Reason.POSITIONS_PER_SYMBOL: Meaning("too many in this instrument", "`risk.max_positions_per_symbol`"),
    Reason.TRADES_PER_DAY: Meaning("too many entries today", "`risk.max_trades_per_day`"),
    Reason.EXPOSURE: Meaning("all positions together would be too large", "`risk.max_exposure`"),
    Reason.SYMBOL_EXPOSURE: Meaning(
        "the positions in this instrument would be too large", "`risk.max_symbol_exposure`"
    ),
    Reason.STRATEGY_BUDGET: Meaning("the strategy's own budget is used up", "`risk.budget`"),
    Reason.FUNDS: Meaning("there is not enough cash, orders in flight counted at their worst", "the broker"),
    Reason.NOT_WORKING: Meaning("the order to be changed is over, is being cancelled, or is not the strategy's", ""),
    Reason.MODIFICATIONS: Meaning("the order was modified as often as allowed", "`governor.modifies_per_order`"),
}
"""In the order of the checks."""


def meaning(code: str) -> str:
    """Return a code's words, empty for OK and for a code of a later version."""
    found = MEANINGS.get(Reason[code]) if code in Reason.__members__ else None
    return found.text if found is not None else ""


def table() -> str:
    """Return the table of `docs/risk.md`."""
    head = "| code | the entry was not sent because | limit |\n|---|---|---|\n"
    return head + "".join(f"| `{code.name}` | {why.text} | {why.limit} |\n" for code, why in MEANINGS.items())
