"""Lists of the Ops screen that the commands of the shell read."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from engine.board_rows import Board
from engine.numbers import compact
from engine.texts import plain_text
from tui.app.panes.ops.listed_pane import ListedPaneView, ListedRow
from tui.app.screens.ops.child_command import ChildAnswer
from tui.app.widgets.pane_view import PaneCell, PaneColumn

_MARKS: Final = {
    "ok": PaneCell("●", "dim"),
    "warn": PaneCell("▲", "notice"),
    "fail": PaneCell("■", "danger"),
}


class ListedSource(NamedTuple):
    """One list: the command that reads it, and its rows made of what the command says."""

    view: ListedPaneView
    words: Callable[[Board], list[str]]
    rows: Callable[[ChildAnswer], list[ListedRow]]
    asked: bool = False
    """Whether only the operator has it read: it asks the broker."""


def listed_sources() -> dict[str, ListedSource]:
    """Return every list by the name of its pane."""
    sources = (_doctor_source(), _jobs_source(), _data_source(), _letters_source())
    return {source.view.name: source for source in sources}


def _doctor_source() -> ListedSource:
    view = ListedPaneView(
        "doctor",
        "DOCTOR",
        "What stands between this desk and a trading day: token, clock, address, disk, database, "
        "instruments, feed. s looks, in a process beside the desk, and asks the broker; each "
        "finding comes with its mend. The same as `patang doctor`.",
        (
            PaneColumn("", 1, right=False),
            PaneColumn("what", 11, 14, right=False),
            PaneColumn("finding", 26, 70, right=False),
            PaneColumn("what to do", 20, 400, right=False, rank=1),
        ),
        "s examines the desk's surroundings",
    )
    return ListedSource(view, lambda _: ["doctor", "--json"], _doctor_rows, asked=True)


def _doctor_rows(answer: ChildAnswer) -> list[ListedRow]:
    report = answer.data()
    checks = report.get("checks", []) if isinstance(report, dict) else []
    # What is wrong first; a stable sort leaves the rest in the order in which it was looked at.
    order = {"fail": 0, "warn": 1}
    found = sorted(checks, key=lambda check: order.get(str(check.get("state")), 2))
    return [_doctor_row(_field_texts(check)) for check in found]


def _doctor_row(check: dict[str, str]) -> ListedRow:
    ill = check["state"] != "ok"
    mark = _MARKS.get(check["state"], _MARKS["warn"])
    cells = (
        mark,
        PaneCell(check["name"], mark.tone if ill else ""),
        PaneCell(check["text"], "strong" if ill else "dim"),
        PaneCell(check["mend"]),
    )
    return ListedRow(check["name"], cells, f"{check['text']}\n\n{check['mend']}".strip(), ill)


def _jobs_source() -> ListedSource:
    view = ListedPaneView(
        "jobs",
        "JOBS",
        "What is done in the evening: when it ran last, and what came of it. s runs the one under "
        "the cursor in a process beside the desk, which it outlives; enter shows what it has said. "
        "Nothing here runs by itself yet. The same as `patang jobs`.",
        (
            PaneColumn("job", 10, 16, right=False),
            PaneColumn("last run", 12, 14, right=False),
            PaneColumn("result", 14, 44, right=False),
            PaneColumn("next", 7, 8, right=False, rank=2),
            PaneColumn("what it does", 20, 400, right=False, rank=1),
        ),
        "reading",
    )
    return ListedSource(view, lambda _: ["jobs", "list", "--json"], _job_rows)


def _job_rows(answer: ChildAnswer) -> list[ListedRow]:
    rows = []
    for row in map(_field_texts, answer.rows()):
        ill = row["state"] == "failed"
        tone = "danger" if ill else "notice" if row["state"] == "running" else "dim"
        cells = (
            PaneCell(row["job"]),
            PaneCell(row["last"] or "never", "dim"),
            PaneCell(row["result"], tone),
            PaneCell(row["next"], "dim"),
            PaneCell(row["what"], "dim"),
        )
        whole = f"{row['what']}\n\npatang {row['command']}\n\n{row['result']}"
        rows.append(ListedRow(row["job"], cells, whole, ill))
    return rows


def _data_source() -> ListedSource:
    view = ListedPaneView(
        "data",
        "DATA",
        "The history on disk: every symbol, span and version, from when to when, how many bars, "
        "how many the calendar expects and nobody has. The same as `patang bars list`.",
        (
            PaneColumn("symbol", 10, 16, right=False),
            PaneColumn("span", 5),
            PaneColumn("version", 8, 20, right=False),
            PaneColumn("from", 10, right=False),
            PaneColumn("to", 10, right=False),
            PaneColumn("bars", 9, 11),
            PaneColumn("gaps", 6, rank=1),
            PaneColumn("bytes", 8, rank=2),
        ),
        "no bars in the history: patang bars import, patang bars download",
    )
    return ListedSource(view, lambda _: ["bars", "list", "--json"], _data_rows)


def _data_rows(answer: ChildAnswer) -> list[ListedRow]:
    rows = []
    for row in map(_field_texts, answer.rows()):
        key = f"{row.get('version')} {row.get('span')} {row.get('symbol')}"
        names = ("symbol", "span", "version", "from", "to", "bars", "missing")
        missing = row.get("missing", "0") != "0"
        size = compact(int(row.get("bytes", "0").replace(",", "")))
        cells = (*(PaneCell(row.get(name, "")) for name in names), PaneCell(size, "dim"))
        rows.append(ListedRow(key, cells, _fields_text(row), missing))
    return rows


def _letters_source() -> ListedSource:
    view = ListedPaneView(
        "letters",
        "LETTERS",
        "What the feed sent that cannot be true, the newest first: it was kept out of prices and "
        "bars. enter shows one whole, with what it was judged by. The same as `patang letters`.",
        (
            PaneColumn("letter", 10, 16, right=False),
            PaneColumn("at", 19, 23, right=False),
            PaneColumn("symbol", 10, 22, right=False),
            PaneColumn("token", 9, rank=1),
            PaneColumn("price", 9, 12),
        ),
        "none: the feed has sent nothing that cannot be true",
    )

    def words(board: Board) -> list[str]:
        database = board.places.database
        return ["letters", "list", "--json", *(["--database", database] if database else [])]

    return ListedSource(view, words, _letter_rows)


def _letter_rows(answer: ChildAnswer) -> list[ListedRow]:
    rows = []
    for row in map(_field_texts, answer.rows()):
        names = ("letter", "at", "symbol", "token", "price")
        cells = tuple(
            PaneCell(row.get(name, ""), "" if name == "letter" else "dim") for name in names
        )
        rows.append(ListedRow(row["letter"], cells, _fields_text(row)))
    return rows


def note_of(answer: ChildAnswer, rows: Sequence[ListedRow]) -> PaneCell:
    """Return what stands beside a list's title: the command's complaint where it has no rows."""
    if rows or answer.code == 0:
        return PaneCell("")
    # Nothing found is what the empty list says already.
    return PaneCell("" if answer.code == 1 else plain_text(answer.complaint), "notice")


def _field_texts(row: dict[str, Any]) -> dict[str, str]:
    return {
        name: "" if value is None else f"{value:,}" if type(value) is int else str(value)
        for name, value in row.items()
    }


def _fields_text(row: dict[str, str]) -> str:
    width = max(map(len, row), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in row.items())
