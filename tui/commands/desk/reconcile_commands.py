"""`patang reconcile`: differences of a running desk from the broker's books, and choices."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.board_rows import UNREADABLE
from engine.exit_codes import DONE
from engine.indian_time import INDIA
from engine.operator_requests import DifferencesRequest
from engine.ops.control_socket import send_request
from engine.texts import plain_text
from tui.commands.desk.order_requests import running_desks


def list_differences(file: Path | None, mode: str, *, as_json: bool) -> int:
    """Print the differences of each running desk; raise `ConnectionFailed` where none runs."""
    for door, _ in running_desks(file, mode):
        answer = send_request(door, DifferencesRequest()).data
        sys.stdout.write(json.dumps(answer) + "\n" if as_json else _differences_text(answer))
    return DONE


def _differences_text(answer: dict[str, Any]) -> str:
    rows = [row for row in answer["differences"] if row["kind"] != UNREADABLE]
    unread = [row["theirs"] for row in answer["differences"] if row["kind"] == UNREADABLE]
    ignored = sum(row["ignored"] for row in rows)
    stands = len(rows) - ignored
    told = f"{stands or 'no'} difference{'' if stands == 1 else 's'}" + (
        f", {ignored} ignored" if ignored else ""
    )
    told = (
        # rows of an earlier comparison may not hold any more
        f"not compared: {unread[0]}" + (f"; before that {told}" if rows else "") if unread else told
    )
    lines = [f"{plain_text(answer['mode'])}  {plain_text(answer['state'])}  {plain_text(told)}"]
    table: list[tuple[str, ...]] = [("key", "kind", "broker", "here", "since", "choices")]
    for row in rows:
        at = datetime.fromtimestamp(row["since"] / 1e9, INDIA)
        since = at.strftime("%H:%M:%S") if row["since"] else ""
        # what could not be compared has no choices, and was not ignored by anybody
        choices = "ignored; " if row["ignored"] and row["choices"] else ""
        texts = (
            row["key"],
            row["kind"],
            row["theirs"],
            row["ours"],
            since,
            choices + " ".join(row["choices"]),
        )
        table.append(tuple(map(plain_text, texts)))
    if rows:
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in table
        ]
    return "\n".join(lines) + "\n"
