"""The way of a decision, read out of the journal.

From the tick that caused it to its fills, and why others went no further.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from engine.errors import DataError
from engine.market.calendar import midnight
from store.database_integrity import open_for_reading

WITHHELD = "would have been sent"
"""What became of an order in a dry run."""

_WORDS = {
    "INTENT": "intended",
    "SENT": "sent",
    "OPEN": "accepted",
    "TRIGGER_PENDING": "accepted",
    "ACTIVE": "accepted",
    "UNKNOWN": "unanswered",
    "LOST": "lost",
    "COMPLETE": "filled",
    "CANCELLED": "cancelled",
    "REJECTED": "refused",
    "MODIFYING": "moving",
    "TRIGGERED": "triggered",
    "DELETED": "deleted",
    "DISABLED": "disabled",
    "EXPIRED": "expired",
}

_FIND = (
    "SELECT intent FROM intents WHERE tag = ?",
    "SELECT intent FROM intents WHERE broker_id = ? ORDER BY intent DESC",
    "SELECT intent FROM fills WHERE trade_id = ? ORDER BY ts DESC",
    "SELECT intent FROM intents WHERE CAST(intent AS TEXT) = ?",
)
"""Where a name that is no decision is looked for, in this order."""

_OF_INTENT = """
SELECT decisions.* FROM decisions JOIN intents ON intents.rung = decisions.rung
WHERE intents.intent = ? AND decisions.verdict = 'OK' AND decisions.kind IN ('enter', 'rung')
    ORDER BY decision DESC
"""

_EVENTS = """
SELECT order_events.*, kind, side, quantity, purpose, order_type, symbol, tag FROM order_events
JOIN intents USING (intent)
WHERE {where} AND NOT (order_events.status = 'SENT' AND intents.reason LIKE 'DRY_RUN:%')
    ORDER BY seq
"""

_WHY = """
SELECT strategy, verdict, SUM(times) AS times, MAX(last) AS last, MAX(decision) AS decision,
    MAX(intent IN (SELECT intent FROM intents WHERE reason LIKE 'DRY_RUN:%')) AS unsent
    FROM decisions
WHERE symbol = ?1 AND kind != 'exit' AND ts >= ?2 AND strategy = COALESCE(?3, strategy)
GROUP BY strategy, verdict ORDER BY last DESC
"""

_FAILURES = (
    "SELECT ts, who, detail FROM audit WHERE act = 'strategy_failed' AND who = COALESCE(?, who) "
    "ORDER BY ts, seq"
)

Row = dict[str, object]


class TraceStep(NamedTuple):
    """One thing that happened at `ts` (ns UTC)."""

    ts: int
    what: str
    text: str
    intent: int = 0


class DecisionTrace(NamedTuple):
    """Decision of one id, and the steps that followed it.

    `decision` is empty for an order that no decision of ours stands behind. Of a strategy that has
    failed the steps are its failures, each with its traceback.
    """

    decision: Row
    steps: tuple[TraceStep, ...]
    strategy: str = ""


class VerdictCount(NamedTuple):
    """Count of one verdict on a strategy's requests.

    `detail` is that of the last, `decision` its number.
    """

    strategy: str
    code: str
    times: int
    last: int
    detail: str
    decision: int


def trace_decision(database: Path, name: str) -> DecisionTrace:
    """Return the trace of a decision (D12), intent (12), tag, broker's id, or failed strategy.

    The broker's id is that of an order, GTT or trade.

    Raises `DataError` where there is none of that name, `OperatorError` where the database cannot
    be read.
    """
    with _open_rows(database) as db:
        decision, intent = _find_decision(db, name.strip())
        if decision or intent:
            return DecisionTrace(decision, tuple(_trace_steps(db, decision, intent)))
        # last: a strategy may be called like a tag
        if found := _failed_strategies(db, name.strip()):
            return DecisionTrace({}, tuple(step for _, step in found), name.strip())
    raise DataError(
        f"{name}: no decision (D12), intent, tag, order, GTT or trade of that name in {database}, "
        "and no strategy that failed"
    )


def strategy_failures(database: Path) -> list[tuple[str, TraceStep]]:
    """Return the strategies that have failed, oldest first, each with its traceback."""
    with _open_rows(database) as db:
        return _failed_strategies(db, None)


def verdicts_of_symbol(database: Path, symbol: str, strategy: str = "") -> list[VerdictCount]:
    """Return the verdicts on a symbol's requests on the journal's last day, the latest first.

    Raise `NothingFound` for a journal without a day.
    """
    from store.journal_day import last_day  # noqa: PLC0415  numpy, which no other trace needs

    day = midnight(last_day(database))
    with _open_rows(database) as db:
        grouped = db.execute(_WHY, (symbol, day, strategy or None)).fetchall()
        details = dict(
            db.execute(
                "SELECT decision, detail FROM decisions WHERE symbol = ?", (symbol,)
            ).fetchall()
        )
    return [
        VerdictCount(
            row["strategy"],
            row["verdict"],
            times=row["times"],
            last=row["last"],
            detail=WITHHELD if row["unsent"] else details[row["decision"]],
            decision=row["decision"],
        )
        for row in grouped
    ]


def _failed_strategies(db: sqlite3.Connection, name: str | None) -> list[tuple[str, TraceStep]]:
    return [
        (row["who"], TraceStep(row["ts"], "failed", row["detail"]))
        for row in db.execute(_FAILURES, (name,)).fetchall()
    ]


@contextmanager
def _open_rows(database: Path) -> Iterator[sqlite3.Connection]:
    with open_for_reading(database) as db:
        db.row_factory = sqlite3.Row
        try:
            yield db
        # a terminal may hand on any byte, and SQLite takes whole characters only
        except UnicodeEncodeError:
            raise DataError("half a character: no name holds one") from None


def _find_decision(db: sqlite3.Connection, name: str) -> tuple[Row, int]:
    """Return the decision behind a name and the intent it named.

    The decision is empty if there is none, the intent 0 where the name is a decision's own.
    """
    # eighteen digits: SQLite takes no larger number
    if match := re.fullmatch(r"[dD](\d{1,18})", name):
        return _one_row(db, "SELECT * FROM decisions WHERE decision = ?", int(match[1])), 0
    for query in _FIND:
        found = db.execute(query, (name,)).fetchone()
        if found is not None and found[0] is not None:
            return _one_row(db, _OF_INTENT, found[0]), int(found[0])
    return {}, 0


def _one_row(db: sqlite3.Connection, query: str, value: object) -> Row:
    row = db.execute(query, (value,)).fetchone()
    return {} if row is None else dict(row)


def _trace_steps(db: sqlite3.Connection, decision: Row, intent: int) -> list[TraceStep]:
    if not decision:
        return _ordered_steps(_intent_steps(db, "intent = ?", intent))
    steps = _judgement_steps(decision)
    if decision["kind"] == "exit":
        rungs = (
            "rung IN (SELECT rung FROM decisions WHERE ladder = ? AND verdict = 'OK' AND kind != "
            "'exit')"
        )
        life = _intent_steps(db, rungs, decision["ladder"])
        asked = int(str(decision["ts"]))
        # what its exit has set off, without the life before
        steps += [step for step, at in zip(life, _step_moments(life), strict=True) if at >= asked]
    elif decision["verdict"] == "OK":
        steps += _intent_steps(db, "rung = ?", decision["rung"])
        exits = db.execute(
            "SELECT * FROM decisions WHERE ladder = ? AND kind = 'exit'", (decision["ladder"],)
        )
        for row in exits.fetchall():
            steps.append(
                TraceStep(
                    row["ts"],
                    "exit asked",
                    f"D{row['decision']} {row['strategy']}: {row['reason'] or 'exit'}",
                )
            )
    return _ordered_steps(steps)


def _judgement_steps(row: Row) -> list[TraceStep]:
    ts, capital = int(str(row["ts"])), int(str(row["capital"]))
    # an operator is no tick of a symbol
    source = "the operator," if row["cause"] == "operator" else f"a {row['cause']} of"
    asked = f"{row['strategy']}: {row['kind']} {row['side']} {row['symbol']}" + (
        f", {row['reason']}" if row["reason"] else ""
    )
    steps = [
        TraceStep(
            int(str(row["cause_ts"])),
            "caused",
            f"by {source} {row['cause_symbol']} at {row['cause_price']:.2f}",
        ),
        TraceStep(ts, "asked", asked),
    ]
    if row["kind"] == "exit":
        return steps
    sized = f"{row['quantity']} at {row['price']:.2f}" + (
        f" from {capital / 100:.2f} rupees" if capital else ""
    )
    times = f", {row['times']} times until the last" if int(str(row["times"])) > 1 else ""
    detail = f": {row['detail']}" if row["detail"] else ""
    return [
        *steps,
        TraceStep(ts, "sized", sized),
        TraceStep(ts, "judged", f"{row['verdict']}{detail}{times}"),
    ]


def _step_moments(steps: list[TraceStep]) -> list[int]:
    """Return when each step takes place among the others (ns).

    A fill is stamped with a whole second, and must not come before its order was accepted.
    """
    since: dict[int, int] = {}
    for what in ("sent", "accepted"):
        # reversed, so that the first of each stands
        since |= {step.intent: step.ts for step in reversed(steps) if step.what == what}
    return [
        max(step.ts, since.get(step.intent, 0)) if step.what == "fill" else step.ts
        for step in steps
    ]


def _ordered_steps(steps: list[TraceStep]) -> list[TraceStep]:
    places = sorted(
        zip(_step_moments(steps), [step.intent for step in steps], range(len(steps)), strict=True)
    )
    return [steps[place] for _, _, place in places]


def _intent_steps(db: sqlite3.Connection, where: str, value: object) -> list[TraceStep]:
    """Return the events and fills of the intents that a condition names."""
    steps = [
        _event_step(row) for row in db.execute(_EVENTS.format(where=where), (value,)).fetchall()
    ]
    fills = db.execute(f"SELECT * FROM fills WHERE {where} ORDER BY ts", (value,))  # noqa: S608  one of our own conditions
    for row in fills.fetchall():
        verb = "bought" if row["side"] == "BUY" else "sold"
        text = (
            f"{verb} {row['quantity']} {row['symbol']} at {row['price']:.2f}, trade "
            f"{row['trade_id']}"
        )
        steps.append(TraceStep(row["ts"], "fill", f"#{row['intent']} {text}", row["intent"]))
    return steps


def _event_step(row: sqlite3.Row) -> TraceStep:
    what = _WORDS.get(row["status"], row["status"].lower())
    if row["kind"] == "gtt":
        name = f"#{row['intent']} GTT {row['order_id']}".rstrip()
    else:
        name = (
            f"#{row['intent']} {row['purpose'].lower()} {row['side']} {row['quantity']} "
            f"{row['order_type']}"
        )
        name += (
            f", order {row['order_id']}"
            if row["order_id"]
            else f", tag {row['tag']}"
            if row["tag"]
            else ""
        )
    # its rejection is ours, and no word of a broker
    if row["reason"].startswith("DRY_RUN:"):
        return TraceStep(row["ts"], "not sent", f"{name}: {WITHHELD}", row["intent"])
    filled = f", {row['filled']} filled" if row["filled"] else ""
    return TraceStep(
        row["ts"],
        what,
        name + filled + (f": {row['reason']}" if row["reason"] else ""),
        row["intent"],
    )
