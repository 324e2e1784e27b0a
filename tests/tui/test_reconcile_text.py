"""Text of `patang reconcile`.

What stands and what is ignored are counted apart, and no answer is not agreement.
"""

import pytest

from engine.board_rows import DifferenceRow
from tui.commands.desk.reconcile_commands import _differences_text

STANDS = DifferenceRow("INFY:CNC", "missing", "INFY", "none", "10", 0, ("adopt", "ignore"))
IGNORED = DifferenceRow(
    "SBIN:CNC", "unmanaged", "SBIN", "50", "none", 0, ("adopt", "ignore"), ignored=True
)
AWAITED = DifferenceRow("TCS:CNC", "awaited", "TCS", "10", "20", 0, (), ignored=True)
SILENT = DifferenceRow(
    "unreadable", "unreadable", "", "the broker does not answer (HTTP 502)", "", 0, ()
)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "no differences"),
        ([STANDS], "1 difference"),
        ([IGNORED], "no differences, 1 ignored"),
        ([STANDS, IGNORED, AWAITED], "1 difference, 2 ignored"),
        ([SILENT], "not compared: the broker does not answer (HTTP 502)"),
        (
            [STANDS, IGNORED, SILENT],
            (
                "not compared: the broker does not answer (HTTP 502); before that 1 difference, "
                "1 ignored"
            ),
        ),
    ],
)
def test_what_stands_what_is_ignored_and_what_cannot_be_compared_are_told_apart(rows, told):
    answer = {"mode": "LIVE", "state": "read-only", "differences": [row._asdict() for row in rows]}
    head, *table = _differences_text(answer).splitlines()
    assert head == f"LIVE  read-only  {told}"
    keys = [line.split()[0] for line in table]
    assert keys == (
        ["key", *(row.key for row in rows if row is not SILENT)] if set(rows) - {SILENT} else []
    )
