"""Build the kernel's orders, GTTs, ladders and ledger again from the journal after a restart."""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import cast

from compiled.bounds import HELD, LAST, MONEY, PRICE
from compiled.division import divided_price
from compiled.events import Divide
from compiled.kernel import Kernel
from compiled.ladder import Entry, Ladder, LadderPlan, Rung, RungPlan, RungState
from compiled.model import SECOND, Gtt, GttLeg, GttStatus, Order, OrderStatus, Product, Purpose, Side, Validity, paise
from compiled.orders import corrects, join, settled
from compiled.positions import DRY_RUN
from compiled.risk import beyond
from compiled.terms import Terms, Variety
from engine.errors import DataError
from engine.market.calendar import ist_day
from engine.ports import Journal
from engine.trading.divisions import Division, event
from engine.trading.kept import MEND, Row, check, readable, rows
from engine.trading.records import KIND, PEAKS

NEVER = 1 << 62
"""After every day, ns."""
_TYPE = {text: kind for kind, text in KIND.items()}


def restore(kernel: Kernel, journal: Journal, day_start: int, divisions: Sequence[Division] = ()) -> list[int]:
    """Fill the kernel from the journal; return the intents whose outcome nobody told.

    `divisions` are those that were noted, by day: what was held before one is divided again.

    What was held at `day_start` (ns) comes as carried positions: its cash moved on an earlier day.

    Orders of a run that died between intent and answer come back as UNKNOWN: they may be at the broker. Raises `DataError`
    for a database that holds what cannot be.
    """
    with readable("the journal"):
        return _restore(kernel, journal, day_start, [each for each in divisions if each.token in kernel.markets])


def _restore(kernel: Kernel, journal: Journal, day_start: int, divisions: Sequence[Division]) -> list[int]:
    plans = {number(row, "ladder"): row for row in rows(journal, "ladders")}
    for row in rows(journal, "trades"):
        if number(row, "token") not in kernel.markets and plans[number(row, "ladder")]["closed"]:
            continue
        _rung(kernel, plans[number(row, "ladder")], row)
    _lower(kernel, divisions)
    taken_in = {each.token: each.at for each in divisions}
    unknown = [intent for row in rows(journal, "intents") if (intent := _intent(kernel, row, day_start, taken_in))]
    fills = sorted(rows(journal, "fills"), key=lambda row: (number(row, "ts"), text(row, "trade_id")))
    earlier = [row for row in fills if number(row, "ts") < day_start]
    waiting = deque(divisions)
    for row in earlier:
        while waiting and waiting[0].since <= number(row, "ts"):
            kernel.divide(event(waiting.popleft()))
        _fill(kernel, row, today=False)
    for division in waiting:
        kernel.divide(event(division))
    _carry(kernel, _costs(earlier, divisions), [event(each) for each in divisions if each.since == day_start])
    for row in rows(journal, "decisions", "decision = (SELECT max(decision) FROM decisions)"):
        kernel.decisions.next_number = number(row, "decision") + 1
    for row in fills:
        if number(row, "ts") >= day_start:
            _fill(kernel, row, today=True)
    for ladder in list(kernel.ladders.values()):
        _settle(kernel, ladder)
    _day_so_far(kernel, journal, day_start)
    kernel.changed_rungs.clear()
    kernel.changed_ladders.clear()
    kernel.out.changed_orders.clear()
    kernel.out.changed_gtts.clear()
    return unknown


def _day_so_far(kernel: Kernel, journal: Journal, day_start: int) -> None:
    """Count today's trades again, and give the limits the day's highest P&L: a restart loosens none of them."""
    over = [row for row in rows(journal, "trades") if row["status"] == "closed"]
    for row in sorted(over, key=lambda row: number(row, "exit_time")):
        if number(row, "exit_time") >= day_start:
            kernel.count(text(row, "strategy"), number(row, "pnl"))
    for row in rows(journal, "meta", "key = ?", (PEAKS,)):
        noted = json.loads(text(row, "value"))
        if noted["day"] == kernel.open:
            for peak in (noted["desk"], *noted["strategies"].values()):
                check(f"meta, row {PEAKS}:", peak, 0, int(MONEY))
            kernel.peak = noted["desk"]
            for slot in kernel.slots:
                slot.peak = noted["strategies"].get(slot.name, 0)


def number(row: Row, key: str) -> int:
    """Return a column as an integer, 0 for NULL."""
    return int(cast("int", row[key] or 0))


def real(row: Row, key: str) -> float:
    """Return a column as a float, 0.0 for NULL."""
    return float(cast("float", row[key] or 0.0))


def text(row: Row, key: str) -> str:
    """Return a column as text, empty for NULL."""
    return str(row[key] or "")


def _ladder(kernel: Kernel, row: Row) -> Ladder:
    fields = json.loads(text(row, "plan"))
    rungs = [RungPlan(*values) for values in fields.pop("rungs")]
    fields["product"] = Product[fields["product"]]
    fields["entry"] = Entry(terms=Terms(Variety[fields.pop("variety", "REGULAR")]))
    plan = LadderPlan(rungs, **fields)
    if fault := beyond(plan):
        raise DataError(f"ladders, row {row['ladder']}: {fault}; {MEND}")
    instrument = kernel.markets[number(row, "token")].instrument
    ladder = Ladder(number(row, "ladder"), text(row, "strategy"), instrument, Side[text(row, "side")], plan)
    ladder.created, ladder.closed = number(row, "created"), number(row, "closed")
    ladder.leaving, ladder.reason = row["state"] == "leaving", text(row, "reason")
    for position, rung_plan in enumerate(rungs, start=1):
        ladder.rungs.append(Rung(ladder.ladder_id + position, ladder.ladder_id, position, rung_plan))
    kernel.adopt(ladder)
    return ladder


def _rung(kernel: Kernel, plan: Row, row: Row) -> None:
    ladder = kernel.owners.get(number(row, "ladder")) or _ladder(kernel, plan)
    rung = ladder.rungs[number(row, "position_number") - 1]
    rung.state = RungState.CLOSED if row["status"] == "not filled" else RungState[text(row, "status").upper()]
    rung.stop, rung.target, rung.high = real(row, "stop_loss"), real(row, "target"), real(row, "high_water")
    rung.closed, rung.exit_reason = number(row, "exit_time"), text(row, "exit_reason")


def _intent(kernel: Kernel, row: Row, day_start: int, divided: Mapping[int, int]) -> int:
    """Restore one intent; return its number if its outcome is unknown. `divided`: when what a token stands for was, ns."""
    kernel.out.next_intent = max(kernel.out.next_intent, number(row, "intent") + 1)
    return _gtt(kernel, row, divided) if row["kind"] == "gtt" else _order(kernel, row, day_start)


def _order(kernel: Kernel, row: Row, day_start: int) -> int:
    order = Order(
        number(row, "intent"), text(row, "tag"), text(row, "strategy"), number(row, "token"),
        Side[text(row, "side")], number(row, "quantity"), _TYPE[text(row, "order_type")],
        Product[text(row, "product")], Purpose[text(row, "purpose")], real(row, "price"), real(row, "trigger_price"),
        Validity[text(row, "validity") or "DAY"], real(row, "protection"), number(row, "rung"), number(row, "created"),
    )  # fmt: skip
    _terms(order, json.loads(text(row, "request") or "{}"))
    order.order_id, order.reason = text(row, "broker_id"), text(row, "reason")
    order.status, order.filled = OrderStatus[text(row, "status")], number(row, "filled")
    unanswered = order.status in {OrderStatus.INTENT, OrderStatus.SENT, OrderStatus.UNKNOWN}
    if unanswered:
        order.status = OrderStatus.UNKNOWN
    elif order.live and order.created < day_start and order.terms.variety is not Variety.AMO:
        order.status = OrderStatus.CANCELLED  # a day's order ends with the day
    kernel.out.register(order)
    decided = order.reason.startswith(DRY_RUN) and order.purpose is Purpose.ENTRY
    if decided and order.created >= day_start and order.token in kernel.markets:
        kernel.unsent.append(order)
    if order.parent:
        first = kernel.out.orders[order.parent]
        join(first, order)
        order.unwanted = not first.terms.several and order.purpose is first.purpose
        _stray(kernel, order if order.unwanted else None)
    else:
        _place(kernel, order, day_start)
    return order.intent if unanswered else 0


def _terms(order: Order, fields: Row) -> None:
    """Give a restored order what has no column of its own."""
    order.parent, order.modifies = integer(fields, "parent"), integer(fields, "modifies")
    order.proven = not fields.get("unproven", False)
    order.parts, order.whole = integer(fields, "parts", 1), integer(fields, "whole", int(order.quantity))
    order.terms = Terms(
        Variety[str(fields.get("variety", "REGULAR"))], integer(fields, "minutes"), integer(fields, "legs"),
        integer(fields, "disclosed"), bool(fields.get("autoslice", False)), str(fields.get("auction", "")),
    )  # fmt: skip


def integer(fields: Row, name: str, usual: int = 0) -> int:
    """Return a whole number of a JSON object, `usual` where it is left out."""
    value = fields.get(name, usual)
    check(f"intents, {name}", value, 0, int(HELD))
    return int(cast("int", value))


def _place(kernel: Kernel, order: Order, day_start: int) -> None:
    """Make an order again what it was for its rung."""
    rung = kernel.rungs.get(order.rung)
    if rung is None:
        return
    if order.purpose is Purpose.ENTRY:
        rung.entry = order
        kernel.entries += order.created >= day_start and not corrects(order)
    elif order.live or order.order_id:
        if order.purpose is Purpose.PROTECT:
            _stray(kernel, rung.guard)
            rung.guard = order
        else:
            _stray(kernel, rung.exit)
            rung.exit = order
    elif order.status is OrderStatus.LOST and order.purpose is Purpose.EXIT:
        rung.doubt = order.created + int(kernel.out.exits.doubt) * SECOND


def _stray(kernel: Kernel, order: Order | None) -> None:
    """Have an order cancelled that another one has taken the place of."""
    if order is not None and order.live and order.order_id:
        kernel.strays[order.intent] = order


def _gtt(kernel: Kernel, row: Row, divided: Mapping[int, int]) -> int:
    request = json.loads(text(row, "request"))
    gtt = Gtt(
        number(row, "intent"), text(row, "strategy"), number(row, "token"), Product[text(row, "product")],
        number(row, "rung"), _last(request), _legs(request["legs"]), number(row, "created"),
    )  # fmt: skip
    gtt.gtt_id, gtt.status = int(text(row, "broker_id") or 0), GttStatus[text(row, "status")]
    gtt.order_id = request["order_id"]
    gtt.pending = _legs(request["pending"])
    gtt.made, gtt.proven = _legs(request.get("made", request["legs"])), bool(request.get("proven", True))
    if "fired" in request:
        check("intents, a GTT: fired", request["fired"], 0.0, PRICE)
        check("intents, a GTT: at", request["at"], 0, int(LAST))
        gtt.past, gtt.fired, gtt.updated = True, float(request["fired"]), int(request["at"])
    unanswered = gtt.status in {GttStatus.INTENT, GttStatus.SENT, GttStatus.UNKNOWN}
    if unanswered:
        gtt.status = GttStatus.UNKNOWN
    kernel.out.register_gtt(gtt)
    rung = kernel.rungs.get(gtt.rung)
    old = gtt.created < divided.get(int(gtt.token), 0)
    if old and gtt.live:
        kernel.stray_gtts[gtt.intent] = gtt  # of the prices before its share was divided
    elif rung is not None and (gtt.live or gtt.status is GttStatus.TRIGGERED):
        rung.gtt = _kept(kernel, rung, rung.gtt, gtt)
    elif rung is not None and gtt.status is GttStatus.DISABLED and not old:
        rung.gtt = gtt
    return gtt.intent if unanswered else 0


def _last(request: Row) -> float:
    check("intents, a GTT: last_price", request["last_price"], 0.0, PRICE)
    return real(request, "last_price")


def _kept(kernel: Kernel, rung: Rung, one: Gtt | None, other: Gtt) -> Gtt:
    """Return the stop of a rung; of two that live the one that stands where the rung's stop does, and delete the other."""
    if one is None or not one.live or not one.gtt_id or not other.live:
        return other
    stands = any(leg.trigger == rung.stop for leg in one.legs) or not other.gtt_id
    kept, gone = (one, other) if stands else (other, one)
    if gone.gtt_id:
        kernel.stray_gtts[gone.intent] = gone
    return kept


def _legs(kept: list[list[float]]) -> list[GttLeg]:
    for trigger, price, _, quantity in kept:
        for value in (trigger, price):
            check("intents, a leg of a GTT: price", value, 0.0, PRICE)
        check("intents, a leg of a GTT: quantity", quantity, 1, int(HELD))
    return [GttLeg(trigger, price, Side(int(side)), int(quantity)) for trigger, price, side, quantity in kept]


def _lower(kernel: Kernel, divisions: Sequence[Division]) -> None:
    """Bring the prices of rungs that were written down before a division to what they are after it."""
    for division in divisions:
        for rung_id, levels in division.levels.items():
            rung = kernel.rungs.get(rung_id)
            if rung is not None and (rung.stop, rung.target, rung.high) == levels:
                kernel.lower(event(division), kernel.owners[int(rung.ladder_id)], rung)


def _costs(fills: list[Row], divisions: Sequence[Division]) -> dict[tuple[str, int], tuple[int, int]]:
    """Return what the strategies held in the evening and what it had cost (signed paise), by strategy and token.

    What is still paid for is all that was, less what was sold, and what that has realised: whatever the order within a day.
    """
    held: dict[tuple[str, int], tuple[int, int]] = {}
    waiting = deque(divisions)

    def divide(until: int) -> None:
        while waiting and waiting[0].since <= until:
            each = waiting.popleft()
            for at in [at for at in held if at[1] == each.token]:
                held[at] = held[at][0] * each.shares // each.per, held[at][1]

    for _, day in groupby(fills, key=lambda row: ist_day(number(row, "ts"))):
        for row in day:
            divide(number(row, "ts"))
            at = text(row, "strategy"), number(row, "token")
            quantity, cost = held.get(at, (0, 0))
            sign = int(Side[text(row, "side")])
            value = sign * int(paise(real(row, "price"), number(row, "quantity")))
            held[at] = quantity + sign * number(row, "quantity"), cost + value + number(row, "realised")
        for at in [at for at, found in held.items() if not found[0]]:
            del held[at]
    divide(NEVER)
    return held


def _carry(kernel: Kernel, costs: dict[tuple[str, int], tuple[int, int]], divided: Sequence[Divide]) -> None:
    """Give the ledger what earlier days have left open; the day's P&L counts from the previous close.

    It goes on with the average it had, over all rungs of a strategy. Intraday shares of an earlier day are gone: the broker
    has closed or converted them. No stop and no exit is sent for them, which would open a position; they stand as a
    difference until the operator has written them off.
    """
    held: dict[tuple[str, int], tuple[int, float]] = {}
    for ladder in kernel.ladders.values():
        for rung in ladder.rungs:
            if rung.quantity:
                if ladder.plan.product is Product.MIS:
                    rung.protect_at = rung.retry_at = NEVER
                at, shares = (ladder.strategy, int(ladder.instrument.token)), int(ladder.sign * rung.quantity)
                quantity, cost = held.get(at, (0, 0.0))
                held[at] = quantity + shares, cost + shares * rung.average * 100.0
    for (strategy, token), (quantity, rungs) in held.items():
        if not quantity:
            continue
        known, cost = costs.get((strategy, token), (0, 0))
        kernel.ledger.carry(strategy, token, quantity, (cost if known == quantity else rungs) / quantity / 100.0)
        market = kernel.markets[token]
        close, high = market.instrument.close, max(rung.high for each in market.ladders for rung in each.rungs)
        for division in divided:
            if division.token == token:
                close = divided_price(close, division, high)
        kernel.ledger.mark(token, close or rungs / quantity / 100.0)
    kernel.before = kernel.ledger.net
    for slot in kernel.slots:
        slot.before = kernel.ledger.strategy_net(slot.name)


def _fill(kernel: Kernel, row: Row, *, today: bool) -> None:
    """Book a fill again: the same sums, without new charges, rows or digest."""
    order = kernel.out.orders[number(row, "intent")]
    quantity, price, charges = number(row, "quantity"), real(row, "price"), number(row, "charges")
    kernel.applied.add(order.order_id + " " + text(row, "trade_id"))
    if today and corrects(order):
        _correct(kernel, order, number(row, "ts"), price)
    else:
        kernel.rebook(order, text(row, "trade_id"), number(row, "ts"), quantity, price, charges, today)


def _correct(kernel: Kernel, order: Order, ts: int, price: float) -> None:
    """Book a correction of today again; the day's P&L counts from the last price of its moment, the order's own."""
    kernel.ledger.mark(order.token, order.price)
    before = kernel.ledger.net
    kernel.rebook(order, "", ts, order.quantity, price, 0, today=True)
    kernel.ledger.mark(order.token, order.price)
    kernel.before += kernel.ledger.net - before


def _settle(kernel: Kernel, ladder: Ladder) -> None:
    """Give up what only the old run's memory knew: settled exits and stops, and ladders that are over.

    A rung with a reason to leave is leaving, unless its exit is an order that a GTT has sent.
    """
    for rung in ladder.rungs:
        if rung.exit is not None and settled(rung.exit):
            rung.exit = None
        if rung.guard is not None and settled(rung.guard):
            rung.guard = None
        if rung.fired or (rung.gtt is not None and rung.gtt.status is GttStatus.DISABLED):
            rung.absent = max(rung.quantity, 0)  # sold, or divided, until it is known
        ours = rung.exit is None or bool(rung.exit.tag)
        rung.leaving = rung.live and (ladder.leaving or (bool(rung.exit_reason) and ours))
    if ladder.closed:
        kernel.forget(ladder)
