"""Histograms of the steps from a tick to the broker's answer."""

from collections.abc import Sequence
from typing import Final

from engine.board_rows import Board, LatencyRow
from engine.numbers import count
from engine.system.latency_book import STEPS
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View
from tui.formats import meter_bar

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_HEAD: Final = "1µs       1ms       1s"
"""An octave a cell: ten of them are a factor of 1,024."""


def duration_text(ns: int) -> str:
    """Write a duration in three digits: 38 µs, 1.1 ms, 127 ms, 2.0 s."""
    if ns <= 0:
        return ""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        value = ns / size
        if value >= 1 or unit == "µs":
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    raise AssertionError


def histogram_text(counts: Sequence[int]) -> str:
    """Draw the counts of octaves, a cell each; what is there at all is seen."""
    most = max(counts, default=0)
    # By the root, so that one slow answer among thousands is seen.
    return "".join(
        _BLOCKS[max(1, round((n / most) ** 0.5 * 8))] if n else " " for n in counts
    ).rstrip()


class TimesPaneView(View[LatencyRow]):
    """One line for each step."""

    name = "times"
    title = "TIMES"
    help = (
        "From a tick to the broker's answer, step by step: how often each took how long, an octave "
        "a cell (height by the root of the count), and what half, nine tenths, 99 of a hundred and "
        "all of them took less than. `last min` is p99 of the last one or two minutes. enter draws "
        "one of them large."
    )
    empty = "nothing measured yet"
    columns = (
        PaneColumn("step", 16, 18, right=False),
        PaneColumn(_HEAD, 27, right=False, rank=1),
        PaneColumn("p50", 6, 8),
        PaneColumn("p90", 6, 8, rank=2),
        PaneColumn("p99", 6, 8),
        PaneColumn("max", 6, 8),
        PaneColumn("last min", 8, rank=3),
        PaneColumn("number", 8, 11, rank=4),
    )

    def version(self, board: Board) -> int:
        """Return the version of the times."""
        return board.latencies.version

    def rows(self, board: Board) -> Sequence[LatencyRow]:
        """Return the steps in their order."""
        return board.latencies.rows

    def cells(self, row: LatencyRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one step."""
        del now, widths
        return (
            PaneCell(row.name, still=True),
            PaneCell(histogram_text(row.counts), "title", still=True),
            PaneCell(duration_text(row.p50), "", still=True),
            PaneCell(duration_text(row.p90), "", still=True),
            PaneCell(duration_text(row.p99), "strong", still=True),
            PaneCell(duration_text(row.most), "", still=True),
            PaneCell(duration_text(row.recent), "dim", still=True),
            PaneCell(count(row.number) if row.number else "", "dim", still=True),
        )


def times_text(row: LatencyRow, width: int) -> str:
    """Return one step large: what is measured, and a bar an octave."""
    lines = [STEPS.get(row.name, ""), ""]
    seen = [at for at, n in enumerate(row.counts) if n]
    if not seen:
        return "\n".join([*lines, "not measured yet"])
    most = max(row.counts)
    for at in range(seen[0], seen[-1] + 1):
        n = row.counts[at]
        label = "below 2 µs" if at == 0 else f"{duration_text(1_024 << at)} to"
        bar = meter_bar(n / most, width) if n else ""
        lines.append(f"{label:>11}  {bar:<{width}}  {count(n):>9}")
    figures = ((row.p50, "p50"), (row.p90, "p90"), (row.p99, "p99"), (row.most, "max"))
    told = "   ".join(f"{name} {duration_text(ns)}" for ns, name in figures)
    return "\n".join([*lines, "", told])
