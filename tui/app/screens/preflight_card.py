"""The card of the morning: each thing that has to hold before the open, passed or with its mend."""

from typing import Any, Final, NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from engine.board_rows import Board
from engine.numbers import count, day_name
from engine.texts import plain_text
from tui.app.panes.positions_pane import is_naked
from tui.app.screens.ops.child_command import ChildAnswer
from tui.app.widgets.theme import ToneStyles

DOCTOR: Final = ("doctor", "--json")
"""The command whose checks it shows."""
_ORDER: Final = {"fail": 0, "warn": 1}
_MARKS: Final = {"fail": "■", "warn": "▲"}
_TONES: Final = {"fail": "danger", "warn": "notice"}


class PreflightCheck(NamedTuple):
    """One thing: `state` is ok, warn or fail, `mend` the remedy, empty when well."""

    name: str
    state: str
    text: str
    mend: str = ""


def preflight_checks(answer: ChildAnswer, board: Board) -> list[PreflightCheck]:
    """Return what the doctor and the desk's own board say, the worst first."""
    report: Any = answer.data()
    found = report.get("checks", []) if isinstance(report, dict) else []
    checks = [
        PreflightCheck(*(str(each.get(name, "")) for name in PreflightCheck._fields))
        for each in found
        if isinstance(each, dict)
    ]
    if not checks:
        told = answer.complaint or "it said nothing"
        checks = [PreflightCheck("doctor", "fail", told, "patang doctor says it in full")]
    checks += _board_checks(board)
    # A stable sort: the rest stays in the order in which it was looked at.
    return sorted(checks, key=lambda check: _ORDER.get(check.state, 2))


def _board_checks(board: Board) -> list[PreflightCheck]:
    """Return what only the running desk knows."""
    header = board.header
    positions = board.positions.rows[:]
    naked = sum(is_naked(row) for row in positions)
    differing = sum(not row.ignored for row in board.differences.rows[:])
    held = f"{count(len(positions))} open rungs"
    return [
        PreflightCheck("kill", "fail", f"{header.kill}: {header.kill_reason}", "^r, with a reason")
        if header.kill
        else PreflightCheck("kill", "ok", "open"),
        PreflightCheck("books", "fail", f"{count(differing)} differences", "decide them: screen 6")
        if differing
        else PreflightCheck("books", "ok", "they agree with the broker's"),
        PreflightCheck("protection", "fail", f"{held}, {count(naked)} naked", "see the positions")
        if naked
        else PreflightCheck("protection", "ok", f"{held}, none naked"),
    ]


def preflight_summary(checks: list[PreflightCheck]) -> str:
    """Say in a line how many pass."""
    ill = [check.name for check in checks if check.state in _ORDER]
    if not ill:
        return f"preflight: all {len(checks)} checks pass"
    return f"preflight: {len(ill)} of {len(checks)} need a look: {', '.join(ill)}"


def card_title(board: Board) -> str:
    """Return the title of the card."""
    return f"Preflight · {day_name(board.header.now)}".rstrip(" ·")


def preflight_card(checks: list[PreflightCheck], tones: ToneStyles) -> Group:
    """Return the card: what does not pass with its mend, then the rest, a line each."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for check in checks:
        tone = _TONES.get(check.state, "")
        words = Text(plain_text(check.text), tones.ink(tone or "dim"))
        if check.mend and tone:
            words.append(f"\n→ {plain_text(check.mend)}", tones.ink("strong"))
        mark = Text(_MARKS.get(check.state, "●"), tones.ink(tone or "faint"))
        table.add_row(mark, Text(plain_text(check.name), tones.ink(tone or "")), words)
    return Group(table, Text("esc goes back · P looks again", tones.ink("faint")))
