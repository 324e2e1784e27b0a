"""Records of earlier runs, read from the journal: the kernel is restored from them."""

import json
from collections import deque
from collections.abc import Sequence
from itertools import groupby
from typing import cast

from compiled.model.number_bounds import HELD, LAST, MONEY, PRICE
from compiled.model.order_terms import OrderTerms, Variety
from compiled.model.values import (
    NEVER,
    Gtt,
    GttLeg,
    GttStatus,
    Order,
    OrderPurpose,
    OrderStatus,
    Product,
    Side,
    Validity,
    paise,
)
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import EntryPlan, LadderPlan, RungPlan, RungState
from compiled.trading.request_bounds import plan_out_of_bounds
from compiled.trading.restart.kept_records import (
    KeptCost,
    KeptDivision,
    KeptFill,
    KeptLadder,
    KeptRung,
    KernelRecords,
)
from engine.books.journal_rows import MEND, Row, check_number, load_rows, readable
from engine.books.share_divisions import ShareDivision, divide_event
from engine.errors import DataError
from engine.market.calendar import ist_day
from engine.orders.order_texts import ORDER_TYPES
from engine.orders.records import PEAKS
from engine.orders.strategy_days import kept_strategy_days
from engine.ports import Journal

_TYPE = {text: kind for kind, text in ORDER_TYPES.items()}


def restore_kernel(
    kernel: Kernel, journal: Journal, day_start: int, divisions: Sequence[ShareDivision] = ()
) -> list[int]:
    """Fill the kernel from the journal; return the intents of unknown outcome.

    `divisions` are the noted ones, by day: shares held before one are divided again. Positions held
    at `day_start` (ns) come as carried ones: their cash moved on an earlier day.

    Orders of a run that died between intent and answer come back as UNKNOWN: they may be at the
    broker. Raises `DataError` for a database that holds an impossible state.
    """
    with readable("the journal"):
        return kernel.restore(
            _read_records(
                kernel,
                journal,
                day_start,
                [each for each in divisions if each.token in kernel.state.markets],
            )
        )


def _read_records(
    kernel: Kernel, journal: Journal, day_start: int, divisions: Sequence[ShareDivision]
) -> KernelRecords:
    records = KernelRecords(day_start)
    trades = load_rows(journal, "trades")
    records.ladders = _read_ladders(kernel, journal, trades)
    records.divisions = [KeptDivision(divide_event(each), each.levels) for each in divisions]
    records.requests = [
        _read_gtt(row) if row["kind"] == "gtt" else _read_order(row)
        for row in load_rows(journal, "intents")
    ]
    fills = sorted(
        load_rows(journal, "fills"),
        key=lambda row: (int_column(row, "ts"), text_column(row, "trade_id")),
    )
    records.fills = [_read_fill(row) for row in fills]
    records.evening_costs = _evening_costs(
        [row for row in fills if int_column(row, "ts") < day_start], divisions
    )
    for row in load_rows(journal, "decisions", "decision = (SELECT max(decision) FROM decisions)"):
        records.next_decision = int_column(row, "decision") + 1
    over = [
        row
        for row in trades
        if row["status"] == "closed" and int_column(row, "exit_time") >= day_start
    ]
    records.round_trips = [
        (text_column(row, "strategy"), int_column(row, "pnl"))
        for row in sorted(over, key=lambda row: int_column(row, "exit_time"))
    ]
    for row in load_rows(journal, "meta", "key = ?", (PEAKS,)):
        noted = json.loads(text_column(row, "value"))
        if noted["day"] == kernel.state.open:
            for peak in (noted["desk"], *noted["strategies"].values()):
                check_number(f"meta, row {PEAKS}:", peak, 0, int(MONEY))
            records.peak, records.strategy_peaks = noted["desk"], noted["strategies"]
    days = kept_strategy_days(journal, str(ist_day(int(kernel.state.open))))
    records.hand_stops = {name: day.stopped for name, day in days.items() if day.stopped}
    return records


def int_column(row: Row, key: str) -> int:
    """Return a column as an integer, 0 for NULL."""
    return int(cast("int", row[key] or 0))


def float_column(row: Row, key: str) -> float:
    """Return a column as a float, 0.0 for NULL."""
    return float(cast("float", row[key] or 0.0))


def text_column(row: Row, key: str) -> str:
    """Return a column as text, empty for NULL."""
    return str(row[key] or "")


def _read_ladders(kernel: Kernel, journal: Journal, trades: Sequence[Row]) -> list[KeptLadder]:
    """Return the ladders of the trades with their rungs.

    Those that are over are left out where their instrument is no longer followed.
    """
    plans = {int_column(row, "ladder"): row for row in load_rows(journal, "ladders")}
    found: dict[int, KeptLadder] = {}
    for row in trades:
        number = int_column(row, "ladder")
        plan = plans[number]
        if int_column(row, "token") not in kernel.state.markets and plan["closed"]:
            continue
        if number not in found:
            found[number] = _read_ladder(plan)
        found[number].rungs.append(_read_rung(row))
    return list(found.values())


def _read_ladder(row: Row) -> KeptLadder:
    fields = json.loads(text_column(row, "plan"))
    rungs = [RungPlan(*values) for values in fields.pop("rungs")]
    fields["product"] = Product[fields["product"]]
    fields["entry"] = EntryPlan(terms=OrderTerms(Variety[fields.pop("variety", "REGULAR")]))
    plan = LadderPlan(rungs, **fields)
    if fault := plan_out_of_bounds(plan):
        raise DataError(f"ladders, row {row['ladder']}: {fault}; {MEND}")
    return KeptLadder(
        int_column(row, "ladder"),
        text_column(row, "strategy"),
        token=int_column(row, "token"),
        side=Side[text_column(row, "side")],
        plan=plan,
        created=int_column(row, "created"),
        closed=int_column(row, "closed"),
        leaving=row["state"] == "leaving",
        reason=text_column(row, "reason"),
    )


def _read_rung(row: Row) -> KeptRung:
    state = "closed" if row["status"] == "not filled" else text_column(row, "status")
    return KeptRung(
        int_column(row, "trade_id"),
        number=int_column(row, "position_number"),
        state=RungState[state.upper()],
        stop=float_column(row, "stop_loss"),
        target=float_column(row, "target"),
        high=float_column(row, "high_water"),
        closed=int_column(row, "exit_time"),
        exit_reason=text_column(row, "exit_reason"),
    )


def _read_fill(row: Row) -> KeptFill:
    return KeptFill(
        int_column(row, "intent"),
        text_column(row, "trade_id"),
        ts=int_column(row, "ts"),
        quantity=int_column(row, "quantity"),
        price=float_column(row, "price"),
        charges=int_column(row, "charges"),
    )


def _read_order(row: Row) -> Order:
    order = Order(
        int_column(row, "intent"),
        text_column(row, "tag"),
        strategy=text_column(row, "strategy"),
        token=int_column(row, "token"),
        side=Side[text_column(row, "side")],
        quantity=int_column(row, "quantity"),
        order_type=_TYPE[text_column(row, "order_type")],
        product=Product[text_column(row, "product")],
        purpose=OrderPurpose[text_column(row, "purpose")],
        price=float_column(row, "price"),
        trigger=float_column(row, "trigger_price"),
        validity=Validity[text_column(row, "validity") or "DAY"],
        protection=float_column(row, "protection"),
        rung=int_column(row, "rung"),
        created=int_column(row, "created"),
    )
    _read_terms(order, json.loads(text_column(row, "request") or "{}"))
    order.order_id, order.reason = text_column(row, "broker_id"), text_column(row, "reason")
    order.status, order.filled = OrderStatus[text_column(row, "status")], int_column(row, "filled")
    return order


def _read_terms(order: Order, fields: Row) -> None:
    """Set an order's fields without a column of their own."""
    order.parent, order.modifies = int_field(fields, "parent"), int_field(fields, "modifies")
    order.proven = not fields.get("unproven", False)
    order.parts, order.whole = (
        int_field(fields, "parts", 1),
        int_field(fields, "whole", int(order.quantity)),
    )
    order.reduces = bool(fields.get("reduces", False))
    order.terms = OrderTerms(
        Variety[str(fields.get("variety", "REGULAR"))],
        int_field(fields, "minutes"),
        legs=int_field(fields, "legs"),
        disclosed=int_field(fields, "disclosed"),
        autoslice=bool(fields.get("autoslice", False)),
        auction=str(fields.get("auction", "")),
    )


def int_field(fields: Row, name: str, usual: int = 0) -> int:
    """Return a whole number of a JSON object, `usual` where it is left out."""
    value = fields.get(name, usual)
    check_number(f"intents, {name}", value, 0, int(HELD))
    return int(cast("int", value))


def _read_gtt(row: Row) -> Gtt:
    request = json.loads(text_column(row, "request"))
    gtt = Gtt(
        int_column(row, "intent"),
        text_column(row, "strategy"),
        token=int_column(row, "token"),
        product=Product[text_column(row, "product")],
        rung=int_column(row, "rung"),
        last_price=_last_price(request),
        legs=_read_legs(request["legs"]),
        created=int_column(row, "created"),
    )
    gtt.gtt_id, gtt.status = (
        int(text_column(row, "broker_id") or 0),
        GttStatus[text_column(row, "status")],
    )
    gtt.order_id = request["order_id"]
    gtt.pending = _read_legs(request["pending"])
    gtt.made, gtt.proven = (
        _read_legs(request.get("made", request["legs"])),
        bool(request.get("proven", True)),
    )
    if "fired" in request:
        check_number("intents, a GTT: fired", request["fired"], 0.0, PRICE)
        check_number("intents, a GTT: at", request["at"], 0, int(LAST))
        gtt.past, gtt.fired, gtt.updated = True, float(request["fired"]), int(request["at"])
    return gtt


def _last_price(request: Row) -> float:
    check_number("intents, a GTT: last_price", request["last_price"], 0.0, PRICE)
    return float_column(request, "last_price")


def _read_legs(kept: list[list[float]]) -> list[GttLeg]:
    for trigger, price, _, quantity in kept:
        for value in (trigger, price):
            check_number("intents, a leg of a GTT: price", value, 0.0, PRICE)
        check_number("intents, a leg of a GTT: quantity", quantity, 1, int(HELD))
    return [
        GttLeg(trigger, price, Side(int(side)), int(quantity))
        for trigger, price, side, quantity in kept
    ]


def _evening_costs(fills: list[Row], divisions: Sequence[ShareDivision]) -> list[KeptCost]:
    """Return the strategies' positions of the evening and their cost.

    The cost (signed paise) is the sum of all that was paid, less sales and their realised P&L,
    whatever the order within a day.
    """
    held: dict[tuple[str, int], tuple[int, int]] = {}
    waiting = deque(divisions)

    def divide(until: int) -> None:
        while waiting and waiting[0].since <= until:
            each = waiting.popleft()
            for at in [at for at in held if at[1] == each.token]:
                held[at] = held[at][0] * each.shares // each.per, held[at][1]

    for _, day in groupby(fills, key=lambda row: ist_day(int_column(row, "ts"))):
        for row in day:
            divide(int_column(row, "ts"))
            at = text_column(row, "strategy"), int_column(row, "token")
            quantity, cost = held.get(at, (0, 0))
            sign = int(Side[text_column(row, "side")])
            value = sign * int(paise(float_column(row, "price"), int_column(row, "quantity")))
            held[at] = (
                quantity + sign * int_column(row, "quantity"),
                cost + value + int_column(row, "realised"),
            )
        for at in [at for at, found in held.items() if not found[0]]:
            del held[at]
    divide(NEVER)
    return [
        KeptCost(strategy, token, quantity, cost)
        for (strategy, token), (quantity, cost) in held.items()
    ]
