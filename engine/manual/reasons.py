"""The meaning of each reason code, and the setting or fact behind it (`docs/risk.md`).

The words of a limit stand in its row (`compiled/trading/risk.py`).
"""

from typing import Final, NamedTuple

from compiled.trading.risk import REFUSING, RefusalReason


class ReasonMeaning(NamedTuple):
    """The reason of an unsent entry, and the limit behind it."""

    text: str
    limit: str


LIMIT_ONLY: Final = (
    "this broker takes LIMIT orders only: strategies do not enter, orders are placed by hand, and "
    "nothing protects them"
)
"""The state of a desk at such a broker."""

MEANINGS: Final[dict[RefusalReason, ReasonMeaning]] = {
    RefusalReason.BOUNDS: ReasonMeaning(
        "a number of the request is none that an order may have", "[numbers](security.md#numbers)"
    ),
    RefusalReason.DUPLICATE: ReasonMeaning(
        "the strategy already has a ladder on the instrument, or would have: a dry run remembers "
        "it for the day",
        "",
    ),
    RefusalReason.KILLED: ReasonMeaning("the kill switch is latched", ""),
    RefusalReason.NOT_READY: ReasonMeaning(
        "the desk holds entries back: its books are not the broker's, or he does not answer",
        "[reconciliation](reconciliation.md)",
    ),
    RefusalReason.INDEX: ReasonMeaning("an index is watched, never traded: its contracts are", ""),
    RefusalReason.LIMIT_ONLY: ReasonMeaning(
        "the broker takes plain LIMIT orders by hand only, and none with a stop: nothing can be "
        "protected there",
        "[Kite's own sandbox](kite.md#kites-own-sandbox)",
    ),
    RefusalReason.WARMING: ReasonMeaning(
        "the instrument's history is still being read", "`feed.watch`: fewer names"
    ),
    RefusalReason.VARIETY: ReasonMeaning(
        "the simulated exchange of paper trading takes no orders of that variety",
        "[orders](orders.md)",
    ),
    RefusalReason.SESSION: ReasonMeaning(
        "the instrument is not in continuous trading, which an entry needs; or it is, and the "
        "entry is an after-market order",
        "[its hours](calendar.md#the-desks-day)",
    ),
    RefusalReason.SQUARE_OFF: ReasonMeaning(
        "it is intraday (MIS), and those are over for the day", "`risk.square_off_before_s`"
    ),
    RefusalReason.STALE_DATA: ReasonMeaning(
        "the instrument has not ticked lately, or its ticks come late",
        "`feed.stale_after_s`, `feed.late_after_s`",
    ),
    RefusalReason.STRATEGY_STOPPED: ReasonMeaning(
        "its strategy was stopped, has failed, or has reached a loss limit of its own", ""
    ),
    RefusalReason.SHORT_DELIVERY: ReasonMeaning("delivery shares cannot be sold short", ""),
    RefusalReason.PRODUCT: ReasonMeaning(
        "the instrument is not traded under this product (shares: CNC, MIS, MTF; contracts: NRML, "
        "MIS)",
        "",
    ),
    RefusalReason.TERMS: ReasonMeaning(
        "kind, price, validity and variety of the order do not go together", "[orders](orders.md)"
    ),
    RefusalReason.STOP_DISTANCE: ReasonMeaning(
        "its stop or target cannot stand: nearer to the price than the broker takes a GTT, or no "
        "tick is left for it",
        "[stops](orders.md#stops)",
    ),
    RefusalReason.GTTS: ReasonMeaning(
        "its stop is a GTT, and the account holds as many as the broker allows",
        "[stops](orders.md#stops)",
    ),
    RefusalReason.SIZE_ZERO: ReasonMeaning(
        "the rung's capital buys no lot", "`strategy.*.capital`"
    ),
    RefusalReason.LOT: ReasonMeaning("the quantity is no multiple of the lot", "the instrument"),
    RefusalReason.TICK: ReasonMeaning("the price is off the grid", "the instrument"),
    RefusalReason.PRICE_BAND: ReasonMeaning(
        "the price is outside the day's band", "the instrument"
    ),
    RefusalReason.FREEZE_QUANTITY: ReasonMeaning(
        "the quantity is above the exchange's freeze quantity", "the instrument"
    ),
    **{
        reason: ReasonMeaning(limit.words, f"`risk.{limit.name.removesuffix('.')}`")
        for reason, limit in REFUSING.items()
    },
    RefusalReason.FUNDS: ReasonMeaning(
        "there is not enough cash, orders in flight counted at their worst", "the broker"
    ),
    RefusalReason.NOT_WORKING: ReasonMeaning(
        "the order to be changed is over, is being cancelled, or is not the strategy's", ""
    ),
    RefusalReason.MODIFICATIONS: ReasonMeaning(
        "the order was modified as often as allowed", "`governor.modifies_per_order`"
    ),
}
"""In the order of the checks."""


def reason_meaning(code: str) -> str:
    """Return a code's words, empty for OK and for a code of a later version."""
    found = MEANINGS.get(RefusalReason[code]) if code in RefusalReason.__members__ else None
    return found.text if found is not None else ""


def reason_table() -> str:
    """Return the table of `docs/risk.md`."""
    head = "| code | the entry was not sent because | limit |\n|---|---|---|\n"
    return head + "".join(
        f"| `{code.name}` | {why.text} | {why.limit} |\n" for code, why in MEANINGS.items()
    )
