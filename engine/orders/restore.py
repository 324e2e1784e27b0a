"""Build the kernel's orders, GTTs, ladders and ledger again from the journal after a restart."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import cast

from compiled.model.events import CarriedDivision
from compiled.model.number_bounds import HELD, LAST, MONEY, PRICE
from compiled.model.order_terms import OrderTerms, Variety
from compiled.model.values import (
    SECOND,
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
from compiled.trading.desk_state import DRY_RUN
from compiled.trading.kernel import Kernel
from compiled.trading.ladder import EntryPlan, Ladder, LadderPlan, Rung, RungPlan, RungState
from compiled.trading.order_states import is_correction, is_settled, join_chain
from compiled.trading.reports.share_division import divided_price
from compiled.trading.request_bounds import plan_out_of_bounds
from engine.books.journal_rows import MEND, Row, check_number, load_rows, readable
from engine.books.share_divisions import ShareDivision, divide_event
from engine.errors import DataError
from engine.market.calendar import ist_day
from engine.orders.order_texts import ORDER_TYPES
from engine.orders.records import PEAKS
from engine.ports import Journal

NEVER = 1 << 62
"""After every day, ns."""
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
        return _fill_kernel(
            kernel,
            journal,
            day_start,
            [each for each in divisions if each.token in kernel.state.markets],
        )


def _fill_kernel(
    kernel: Kernel, journal: Journal, day_start: int, divisions: Sequence[ShareDivision]
) -> list[int]:
    plans = {int_column(row, "ladder"): row for row in load_rows(journal, "ladders")}
    for row in load_rows(journal, "trades"):
        if (
            int_column(row, "token") not in kernel.state.markets
            and plans[int_column(row, "ladder")]["closed"]
        ):
            continue
        _restore_rung(kernel, plans[int_column(row, "ladder")], row)
    _lower_rungs(kernel, divisions)
    taken_in = {each.token: each.at for each in divisions}
    unknown = [
        intent
        for row in load_rows(journal, "intents")
        if (intent := _restore_intent(kernel, row, day_start, taken_in))
    ]
    fills = sorted(
        load_rows(journal, "fills"),
        key=lambda row: (int_column(row, "ts"), text_column(row, "trade_id")),
    )
    earlier = [row for row in fills if int_column(row, "ts") < day_start]
    waiting = deque(divisions)
    for row in earlier:
        while waiting and waiting[0].since <= int_column(row, "ts"):
            kernel.divisions.divide_shares(divide_event(waiting.popleft()))
        _rebook_fill(kernel, row, today=False)
    for division in waiting:
        kernel.divisions.divide_shares(divide_event(division))
    _carry_positions(
        kernel,
        _evening_costs(earlier, divisions),
        [divide_event(each) for each in divisions if each.since == day_start],
    )
    for row in load_rows(journal, "decisions", "decision = (SELECT max(decision) FROM decisions)"):
        kernel.decisions.next_number = int_column(row, "decision") + 1
    for row in fills:
        if int_column(row, "ts") >= day_start:
            _rebook_fill(kernel, row, today=True)
    for ladder in list(kernel.state.ladders.values()):
        _settle_ladder(kernel, ladder)
    _day_so_far(kernel, journal, day_start)
    kernel.state.changed_rungs.clear()
    kernel.state.changed_ladders.clear()
    kernel.order_store.changed_orders.clear()
    kernel.order_store.changed_gtts.clear()
    return unknown


def _day_so_far(kernel: Kernel, journal: Journal, day_start: int) -> None:
    """Count today's trades again, and give the limits the day's highest P&L.

    A restart then loosens none of them.
    """
    over = [row for row in load_rows(journal, "trades") if row["status"] == "closed"]
    for row in sorted(over, key=lambda row: int_column(row, "exit_time")):
        if int_column(row, "exit_time") >= day_start:
            kernel.ladder_book.count_round_trip(
                text_column(row, "strategy"), int_column(row, "pnl")
            )
    for row in load_rows(journal, "meta", "key = ?", (PEAKS,)):
        noted = json.loads(text_column(row, "value"))
        if noted["day"] == kernel.state.open:
            for peak in (noted["desk"], *noted["strategies"].values()):
                check_number(f"meta, row {PEAKS}:", peak, 0, int(MONEY))
            kernel.state.peak = noted["desk"]
            for slot in kernel.state.slots:
                slot.peak = noted["strategies"].get(slot.name, 0)


def int_column(row: Row, key: str) -> int:
    """Return a column as an integer, 0 for NULL."""
    return int(cast("int", row[key] or 0))


def float_column(row: Row, key: str) -> float:
    """Return a column as a float, 0.0 for NULL."""
    return float(cast("float", row[key] or 0.0))


def text_column(row: Row, key: str) -> str:
    """Return a column as text, empty for NULL."""
    return str(row[key] or "")


def _restore_ladder(kernel: Kernel, row: Row) -> Ladder:
    fields = json.loads(text_column(row, "plan"))
    rungs = [RungPlan(*values) for values in fields.pop("rungs")]
    fields["product"] = Product[fields["product"]]
    fields["entry"] = EntryPlan(terms=OrderTerms(Variety[fields.pop("variety", "REGULAR")]))
    plan = LadderPlan(rungs, **fields)
    if fault := plan_out_of_bounds(plan):
        raise DataError(f"ladders, row {row['ladder']}: {fault}; {MEND}")
    instrument = kernel.state.markets[int_column(row, "token")].instrument
    ladder = Ladder(
        int_column(row, "ladder"),
        text_column(row, "strategy"),
        instrument,
        Side[text_column(row, "side")],
        plan,
    )
    ladder.created, ladder.closed = int_column(row, "created"), int_column(row, "closed")
    ladder.leaving, ladder.reason = row["state"] == "leaving", text_column(row, "reason")
    for position, rung_plan in enumerate(rungs, start=1):
        ladder.rungs.append(
            Rung(ladder.ladder_id + position, ladder.ladder_id, position, rung_plan)
        )
    kernel.ladder_book.follow_ladder(ladder)
    return ladder


def _restore_rung(kernel: Kernel, plan: Row, row: Row) -> None:
    ladder = kernel.state.owners.get(int_column(row, "ladder")) or _restore_ladder(kernel, plan)
    rung = ladder.rungs[int_column(row, "position_number") - 1]
    rung.state = (
        RungState.CLOSED
        if row["status"] == "not filled"
        else RungState[text_column(row, "status").upper()]
    )
    rung.stop, rung.target, rung.high = (
        float_column(row, "stop_loss"),
        float_column(row, "target"),
        float_column(row, "high_water"),
    )
    rung.closed, rung.exit_reason = int_column(row, "exit_time"), text_column(row, "exit_reason")


def _restore_intent(kernel: Kernel, row: Row, day_start: int, divided: Mapping[int, int]) -> int:
    """Restore one intent; return its number if its outcome is unknown.

    `divided` is when a token's shares were divided, ns.
    """
    kernel.order_store.next_intent = max(
        kernel.order_store.next_intent, int_column(row, "intent") + 1
    )
    return (
        _restore_gtt(kernel, row, divided)
        if row["kind"] == "gtt"
        else _restore_order(kernel, row, day_start)
    )


def _restore_order(kernel: Kernel, row: Row, day_start: int) -> int:
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
    _restore_terms(order, json.loads(text_column(row, "request") or "{}"))
    order.order_id, order.reason = text_column(row, "broker_id"), text_column(row, "reason")
    order.status, order.filled = OrderStatus[text_column(row, "status")], int_column(row, "filled")
    unanswered = order.status in {OrderStatus.INTENT, OrderStatus.SENT, OrderStatus.UNKNOWN}
    if unanswered:
        order.status = OrderStatus.UNKNOWN
    elif order.live and order.created < day_start and order.terms.variety is not Variety.AMO:
        order.status = OrderStatus.CANCELLED  # a day's order ends with the day
    kernel.order_store.register(order)
    decided = order.reason.startswith(DRY_RUN) and order.purpose is OrderPurpose.ENTRY
    if decided and order.created >= day_start and order.token in kernel.state.markets:
        kernel.state.dry_run_entries.append(order)
    if order.parent:
        first = kernel.order_store.orders[order.parent]
        join_chain(first, order)
        order.unwanted = not first.terms.makes_several_orders and order.purpose is first.purpose
        _mark_stray(kernel, order if order.unwanted else None)
    else:
        _attach_order(kernel, order, day_start)
    return order.intent if unanswered else 0


def _restore_terms(order: Order, fields: Row) -> None:
    """Set a restored order's fields without a column of their own."""
    order.parent, order.modifies = int_field(fields, "parent"), int_field(fields, "modifies")
    order.proven = not fields.get("unproven", False)
    order.parts, order.whole = (
        int_field(fields, "parts", 1),
        int_field(fields, "whole", int(order.quantity)),
    )
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


def _attach_order(kernel: Kernel, order: Order, day_start: int) -> None:
    """Give an order its place in its rung again."""
    rung = kernel.state.rungs.get(order.rung)
    if rung is None:
        return
    if order.purpose is OrderPurpose.ENTRY:
        rung.entry = order
        kernel.state.entry_count += order.created >= day_start and not is_correction(order)
    elif order.live or order.order_id:
        if order.purpose is OrderPurpose.PROTECT:
            _mark_stray(kernel, rung.stop_order)
            rung.stop_order = order
        else:
            _mark_stray(kernel, rung.exit)
            rung.exit = order
    elif order.status is OrderStatus.LOST and order.purpose is OrderPurpose.EXIT:
        rung.doubt_until = order.created + int(kernel.order_store.exits.doubt) * SECOND


def _mark_stray(kernel: Kernel, order: Order | None) -> None:
    """Have an order cancelled that another one has taken the place of."""
    if order is not None and order.live and order.order_id:
        kernel.state.strays[order.intent] = order


def _restore_gtt(kernel: Kernel, row: Row, divided: Mapping[int, int]) -> int:
    request = json.loads(text_column(row, "request"))
    gtt = Gtt(
        int_column(row, "intent"),
        text_column(row, "strategy"),
        token=int_column(row, "token"),
        product=Product[text_column(row, "product")],
        rung=int_column(row, "rung"),
        last_price=_last_price(request),
        legs=_restore_legs(request["legs"]),
        created=int_column(row, "created"),
    )
    gtt.gtt_id, gtt.status = (
        int(text_column(row, "broker_id") or 0),
        GttStatus[text_column(row, "status")],
    )
    gtt.order_id = request["order_id"]
    gtt.pending = _restore_legs(request["pending"])
    gtt.made, gtt.proven = (
        _restore_legs(request.get("made", request["legs"])),
        bool(request.get("proven", True)),
    )
    if "fired" in request:
        check_number("intents, a GTT: fired", request["fired"], 0.0, PRICE)
        check_number("intents, a GTT: at", request["at"], 0, int(LAST))
        gtt.past, gtt.fired, gtt.updated = True, float(request["fired"]), int(request["at"])
    unanswered = gtt.status in {GttStatus.INTENT, GttStatus.SENT, GttStatus.UNKNOWN}
    if unanswered:
        gtt.status = GttStatus.UNKNOWN
    kernel.order_store.register_gtt(gtt)
    rung = kernel.state.rungs.get(gtt.rung)
    old = gtt.created < divided.get(int(gtt.token), 0)
    if old and gtt.live:
        kernel.state.stray_gtts[gtt.intent] = gtt  # of the prices before its share was divided
    elif rung is not None and (gtt.live or gtt.status is GttStatus.TRIGGERED):
        rung.gtt = _kept_gtt(kernel, rung, rung.gtt, gtt)
    elif rung is not None and gtt.status is GttStatus.DISABLED and not old:
        rung.gtt = gtt
    return gtt.intent if unanswered else 0


def _last_price(request: Row) -> float:
    check_number("intents, a GTT: last_price", request["last_price"], 0.0, PRICE)
    return float_column(request, "last_price")


def _kept_gtt(kernel: Kernel, rung: Rung, one: Gtt | None, other: Gtt) -> Gtt:
    """Return the stop of a rung.

    Of two that live it is the one at the rung's stop; the other is deleted.
    """
    if one is None or not one.live or not one.gtt_id or not other.live:
        return other
    stands = any(leg.trigger == rung.stop for leg in one.legs) or not other.gtt_id
    kept, gone = (one, other) if stands else (other, one)
    if gone.gtt_id:
        kernel.state.stray_gtts[gone.intent] = gone
    return kept


def _restore_legs(kept: list[list[float]]) -> list[GttLeg]:
    for trigger, price, _, quantity in kept:
        for value in (trigger, price):
            check_number("intents, a leg of a GTT: price", value, 0.0, PRICE)
        check_number("intents, a leg of a GTT: quantity", quantity, 1, int(HELD))
    return [
        GttLeg(trigger, price, Side(int(side)), int(quantity))
        for trigger, price, side, quantity in kept
    ]


def _lower_rungs(kernel: Kernel, divisions: Sequence[ShareDivision]) -> None:
    """Bring prices of rungs written before a division to their level after it."""
    for division in divisions:
        for rung_id, levels in division.levels.items():
            rung = kernel.state.rungs.get(rung_id)
            if rung is not None and (rung.stop, rung.target, rung.high) == levels:
                kernel.divisions.restate_prices(
                    divide_event(division), kernel.state.owners[int(rung.ladder_id)], rung
                )


def _evening_costs(
    fills: list[Row], divisions: Sequence[ShareDivision]
) -> dict[tuple[str, int], tuple[int, int]]:
    """Return the strategies' positions of the evening and their cost, by strategy and token.

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
    return held


def _carry_positions(
    kernel: Kernel,
    costs: dict[tuple[str, int], tuple[int, int]],
    divided: Sequence[CarriedDivision],
) -> None:
    """Give the ledger the open positions of earlier days.

    The day's P&L counts from the previous close. A position goes on with the average it had, over
    all rungs of a strategy. Intraday shares of an earlier day are gone: the broker has closed or
    converted them. No stop and no exit is sent for them, which would open a position; they stand as
    a difference until the operator has written them off.
    """
    held: dict[tuple[str, int], tuple[int, float]] = {}
    for ladder in kernel.state.ladders.values():
        for rung in ladder.rungs:
            if rung.quantity:
                if ladder.plan.product is Product.MIS:
                    rung.protect_at = rung.retry_at = NEVER
                at, shares = (
                    (ladder.strategy, int(ladder.instrument.token)),
                    int(ladder.sign * rung.quantity),
                )
                quantity, cost = held.get(at, (0, 0.0))
                held[at] = quantity + shares, cost + shares * rung.average * 100.0
    for (strategy, token), (quantity, rungs) in held.items():
        if not quantity:
            continue
        known, cost = costs.get((strategy, token), (0, 0))
        kernel.ledger.carry(
            strategy, token, quantity, (cost if known == quantity else rungs) / quantity / 100.0
        )
        market = kernel.state.markets[token]
        close, high = (
            market.instrument.close,
            max(rung.high for each in market.ladders for rung in each.rungs),
        )
        for division in divided:
            if division.token == token:
                close = divided_price(close, division, high)
        kernel.ledger.mark(token, close or rungs / quantity / 100.0)
    kernel.state.net_at_open = kernel.ledger.net
    for slot in kernel.state.slots:
        slot.net_at_open = kernel.ledger.strategy_net(slot.name)


def _rebook_fill(kernel: Kernel, row: Row, *, today: bool) -> None:
    """Book a fill again: the same sums, without new charges, rows or digest."""
    order = kernel.order_store.orders[int_column(row, "intent")]
    quantity, price, charges = (
        int_column(row, "quantity"),
        float_column(row, "price"),
        int_column(row, "charges"),
    )
    kernel.order_reports.applied.add(order.order_id + " " + text_column(row, "trade_id"))
    if today and is_correction(order):
        _rebook_correction(kernel, order, int_column(row, "ts"), price)
    else:
        kernel.order_reports.rebook(
            order,
            text_column(row, "trade_id"),
            ts=int_column(row, "ts"),
            quantity=quantity,
            price=price,
            charges=charges,
            today=today,
        )


def _rebook_correction(kernel: Kernel, order: Order, ts: int, price: float) -> None:
    """Book a correction of today again.

    The day's P&L counts from the last price of its moment, the order's own.
    """
    kernel.ledger.mark(order.token, order.price)
    before = kernel.ledger.net
    kernel.order_reports.rebook(
        order, "", ts=ts, quantity=order.quantity, price=price, charges=0, today=True
    )
    kernel.ledger.mark(order.token, order.price)
    kernel.state.net_at_open += kernel.ledger.net - before


def _settle_ladder(kernel: Kernel, ladder: Ladder) -> None:
    """Give up the old run's memory: settled exits and stops, and ladders that are over.

    A rung with a reason to leave is leaving, unless its exit is an order that a GTT has sent.
    """
    for rung in ladder.rungs:
        if rung.exit is not None and is_settled(rung.exit):
            rung.exit = None
        if rung.stop_order is not None and is_settled(rung.stop_order):
            rung.stop_order = None
        if rung.fired_earlier or (rung.gtt is not None and rung.gtt.status is GttStatus.DISABLED):
            rung.absent = max(rung.quantity, 0)  # sold, or divided, until it is known
        ours = rung.exit is None or bool(rung.exit.tag)
        rung.leaving = rung.live and (ladder.leaving or (bool(rung.exit_reason) and ours))
    if ladder.closed:
        kernel.ladder_book.forget_ladder(ladder)
