"""`patang shadow`: a day's real orders beside their simulated twins."""

import json
import sqlite3
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from brokers.shadow.order_pairs import OrderPair, pair_of, shadow_summary, twin_difference
from compiled.model.values import SECOND
from engine.errors import NothingFound
from engine.exit_codes import DONE
from engine.indian_time import INDIA
from engine.market.calendar import DAY, ist_day, midnight
from engine.texts import plain_text
from store.database_integrity import open_for_reading
from tui.formats import aligned_fields
from tui.run.configured import configuration
from tui.run.launch import recorded_day
from tui.run.run_records import latest_database

HEAD = ("time", "symbol", "side", "qty", "live", "at", "twin", "at", "worse by", "bps", "later by")


def compare_shadow(file: Path | None, day: str, *, as_json: bool) -> int:
    """Print each pair of a day and their summary; raise `NothingFound` for a day without."""
    path = latest_database(configuration(file), "shadow")
    sys.stderr.write(f"{plain_text(f'by {path}')}\n")
    pairs = _read_pairs(path, date.fromisoformat(recorded_day(day)) if day else None)
    told = shadow_summary(pairs)
    if as_json:
        found = {"orders": [_pair_fields(pair) for pair in pairs], "summary": told._asdict()}
        sys.stdout.write(json.dumps(found) + "\n")
        return DONE
    rows = [HEAD, *map(_pair_cells, pairs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        left = "  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=False))
        right = "  ".join(
            cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)
        )
        sys.stdout.write(f"{left}  {right}\n")
    sys.stdout.write(aligned_fields(told._asdict()))
    return DONE


def _read_pairs(path: Path, day: date | None) -> list[OrderPair]:
    with open_for_reading(path) as database:
        database.row_factory = sqlite3.Row
        # the day of the last order, not today: one looks at it in the evening, or the next morning
        last = database.execute("SELECT max(sent) FROM shadow").fetchone()[0]
        if last is None:
            raise NothingFound(f"no order has been sent in shadow yet: nothing in {path}")
        start = midnight(day or ist_day(last))
        rows = database.execute(
            "SELECT * FROM shadow WHERE sent >= ? AND sent < ? ORDER BY sent, intent",
            (start, start + DAY),
        )
        found = [pair_of(row) for row in rows]
    if not found:
        raise NothingFound(f"no order was sent in shadow on {day}: nothing in {path}")
    return found


def _pair_fields(pair: OrderPair) -> dict[str, object]:
    told = twin_difference(pair)
    return {
        "intent": pair.intent,
        "kind": pair.kind,
        "order_id": pair.order_id,
        "sent": pair.sent,
        "strategy": pair.strategy,
        "symbol": pair.symbol,
        "side": pair.side.name,
        "quantity": pair.quantity,
        "live_status": pair.real.status,
        "live_filled": pair.real.filled,
        "live_average": round(pair.real.average, 4),
        "twin_status": pair.twin.status,
        "twin_filled": pair.twin.filled,
        "twin_average": round(pair.twin.average, 4),
        "filled_difference": told.filled,
        "worse_by": _rounded_value(told.price, 4),
        "bps": _rounded_value(told.bps, 2),
        # one of the two never filled
        "later_by_s": None if told.delay is None else round(told.delay / SECOND, 3),
        "answer_s": round((pair.answered - pair.sent) / SECOND, 3) if pair.answered else None,
    }


def _rounded_value(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _pair_cells(pair: OrderPair) -> Sequence[str]:
    told = twin_difference(pair)
    at = datetime.fromtimestamp(pair.sent // SECOND, INDIA)
    return (
        f"{at:%H:%M:%S}",
        plain_text(pair.symbol),
        pair.side.name,
        str(pair.quantity),
        str(pair.real.filled),
        _price_text(pair.real.average),
        str(pair.twin.filled),
        _price_text(pair.twin.average),
        "-" if told.price is None else f"{told.price:+.2f}",
        "-" if told.bps is None else f"{told.bps:+.1f}",
        "-" if told.delay is None else f"{told.delay / SECOND:+.1f} s",
    )


def _price_text(value: float) -> str:
    return f"{value:.2f}" if value else "-"
