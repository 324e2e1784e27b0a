"""A table that repaints only changed lines: `render_line`, one cached Strip per row."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Generic

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.board_rows import Board
from engine.texts import plain_text
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.pane_view import (
    FEW,
    ColumnSlot,
    PaneCell,
    Row,
    View,
    fit_columns,
    fit_text,
    meets_filter,
    widened_columns,
    widths_of,
)
from tui.app.widgets.row_order import (
    SortOrder,
    cell_rank,
    clicked_order,
    mark_hits,
    next_order,
    plain_words,
    sorted_places,
)
from tui.app.widgets.theme import ToneStyles

SORTED_EVERY: Final = 10
"""Frames for which a sorted list keeps its order: rows that jump with each tick cannot be read."""
FLASH: Final = 3
"""Frames a changed cell is bright; it fades for as many more."""


_HIT: Final = Style(underline=True, bold=True)
"""How a hit of the filter is marked, where there are no colours, too."""


def _flash_backdrop(old: PaneCell, new: PaneCell) -> str:
    """Return the backdrop of a changed cell: by the way it moved, where its ink is no sign."""
    # ink says gain or loss, a ground says which way it went: one never stands for the other
    if new.tone in {"up", "down"}:
        return "flash"
    return (
        "flash-up" if new.value > old.value else "flash-down" if new.value < old.value else "flash"
    )


class _PaintedLine(Generic[Row]):
    """One row as painted: its source, its cells, the frame of each change, the strip."""

    __slots__ = ("backdrops", "cells", "changed", "flashing", "frame", "row", "stamp", "strip")

    def __init__(self, row: Row, stamp: int, cells: tuple[PaneCell, ...], frame: int) -> None:
        self.row = row
        self.stamp = stamp
        self.cells = cells
        self.frame = frame
        self.flashing = 0
        """Frame at which the flash ends, 0 without one."""
        self.changed: dict[int, int] = {}
        """Column → frame of its change, while it flashes."""
        self.backdrops: dict[int, str] = {}
        self.strip: Strip | None = None


class LiveTable(ScrollView, Generic[Row], can_focus=True):
    """Show a `View`; `pull` compares and refreshes the lines that changed since the last frame."""

    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("list"))
    DEFAULT_CSS = """
    LiveTable {
        height: 1fr;
        background: $surface;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
    }
    """

    cursor: reactive[int] = reactive(0, repaint=False)
    """Position of the cursor among the shown rows."""

    class RowOpened(Message):
        """The operator pressed enter on a row."""

        def __init__(self, view: str, row: tuple[object, ...]) -> None:
            super().__init__()
            self.view = view
            self.row = row

    def __init__(self, view: View[Row], tones: Callable[[], ToneStyles]) -> None:
        super().__init__(id=view.name)
        self.view = view
        self.wanted = ""
        self._tones_of = tones
        self._tones: ToneStyles | None = None
        self._version = -1
        self._told = ""
        """What an empty list said last."""
        self._board: Board | None = None
        self._now = 0
        self._frame = 0
        self._source: Sequence[Row] = ()
        """The board's own list of them: while it is this one, each row keeps its place and key."""
        self._all: Sequence[Row] = ()
        self._rows: Sequence[Row] = ()
        self._order: SortOrder | None = None
        self._sorted_at = 0
        self._ranked: dict[object, int] = {}
        """Key → place in the order in force, of the rows when they were sorted last."""
        self._headings: dict[int, str] = {}
        """Row → what stands above it, where the rows are in groups."""
        self._places: Sequence[int] = range(0)
        """Line → row; -1 is a heading, which counts as none."""
        self._line_of: Sequence[int] = range(0)
        """Row → line."""
        self._lines: dict[object, _PaintedLine[Row]] = {}
        self._width = -1
        self._view_columns = view.columns
        """Those of the view: other ones are laid out anew."""
        self._columns = list(view.columns)
        self._slots: list[ColumnSlot] = []
        self._widths: list[int] = []
        self._key: object = None

    # what the desk calls

    def pull(self, board: Board, frame: int) -> None:
        """Take one frame from the board.

        A row that was out of sight in the frame before changes without a flash.
        """
        self._take_board(board, frame)
        top = self.scroll_offset.y
        width, height = self.size
        self._fit_columns(width)
        dirty = [
            Region(0, line + 1 - top, width, 1)
            for line, place in enumerate(self._places[top : top + height - 1], top)
            if place >= 0 and self._update_line(self._rows[place])
        ]
        if dirty:
            self.refresh(*dirty)
        if not self._rows and self._empty_text != self._told:
            self._told = self._empty_text
            self.refresh()

    @property
    def _empty_text(self) -> str:
        if self.wanted:
            return "nothing matches"
        board = self._board
        if board is not None and board.header.state == "starting":
            return self.view.opening_text(board)
        return self.view.empty

    def _take_board(self, board: Board, frame: int) -> bool:
        """Take the rows of a frame; return whether any may be another."""
        self._frame = frame
        self._now = board.header.now
        if self.view.columns is not self._view_columns:
            self._view_columns, self._columns = self.view.columns, list(self.view.columns)
            self._width = -1
            self.sort_by(None)
        version = self.view.version(board)
        due = self._order is not None and frame - self._sorted_at >= SORTED_EVERY
        # Another board is another moment of a day that is played: its versions say nothing here.
        if version == self._version and board is self._board and not due:
            return False
        self._board, self._version = board, version
        source = self.view.rows(board)
        # a copy: the engine's thread goes on with its own list
        rows = source[:]
        kept = source is self._source and len(rows) == len(self._all) > FEW
        self._source = source
        plain = not self.wanted and self._order is None and not self._headings
        if kept and plain and not self.view.groups(rows):
            # of so many none has come, gone or moved: only those in sight are looked at
            self._all = self._rows = rows
        else:
            self._take_rows(rows)
        return True

    @property
    def rows(self) -> Sequence[Row]:
        """The rows shown: all of them, or those the filter lets through."""
        return self._rows

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    def filter(self, wanted: str) -> None:
        """Show only rows that meet a filter (`meets_filter`), whatever the case; "" shows all."""
        self.wanted = wanted.strip().lower()
        for line in self._lines.values():
            line.strip = None
        self._take_rows(self._all)
        self.refresh()

    @property
    def total(self) -> int:
        """How many rows there are, whatever the filter."""
        return len(self._all)

    @property
    def order(self) -> SortOrder | None:
        """The column the rows are sorted by, None in their own order."""
        return self._order

    def sort_by(self, order: SortOrder | None) -> None:
        """Sort the rows for the moment, or give them their own order back."""
        self._order = order
        self._ranked.clear()
        self._take_rows(self._all)
        self.refresh()

    def action_sort(self, step: int) -> None:
        """Sort by the next column in sight, or the one before; each is met turned round as well."""
        self.sort_by(next_order(self._order, [slot.column for slot in self._slots], step))

    def point_at(self, key: object) -> bool:
        """Put the cursor on the row of a key; return whether it is there."""
        place = next((i for i, row in enumerate(self._rows) if row[0] == key), -1)
        if place >= 0:
            self._move_cursor(place)
        return place >= 0

    def texts(self, row: Row) -> list[str]:
        """Return the texts of a row in every column, none of them cut."""
        widths = [column.most or column.width for column in self.view.columns]
        return [plain_text(cell.text).strip() for cell in self.view.cells(row, self._now, widths)]

    def action_copy_row(self) -> None:
        """Copy the row under the cursor, its texts with tabs between them."""
        row = self.chosen
        if row is not None:
            text = "\t".join(text for text in self.texts(row) if text)
            self.app.copy_to_clipboard(text)
            self.notify(f"copied: {text.expandtabs(1)}", markup=False)

    def restyle(self) -> None:
        """Paint everything anew, in the theme of now."""
        self._tones = None
        self._lines.clear()
        self.refresh()

    # rows and lines

    def _fit_columns(self, width: int) -> None:
        """Lay the columns out for a width.

        A frame may come before the resize event that belongs to it.
        """
        if width != self._width:
            self._width = width
            self._slots = fit_columns(self._columns, width)
            self._widths = widths_of(self._slots, self.view.columns)
            self._lines.clear()

    def _take_rows(self, rows: Sequence[Row]) -> None:
        at_end = self.cursor >= len(self._rows) - 1
        at_start = self.cursor == 0
        self._all = rows
        if self.wanted:
            rows = [row for row in rows if meets_filter(self.wanted, self.view.search_text(row))]
        if self._order is not None and rows:
            rows = self._in_order(rows, self._order)
        before, self._rows = self._rows, rows
        regrouped = self._group_rows()
        rows = self._rows
        columns = widened_columns(self._columns, rows)
        if columns != self._columns:
            self._columns, self._width = columns, -1
            self.refresh()
        # now and then: at each frame it would be a walk over every row
        if len(self._lines) > 2 * len(rows) + 64:
            # lines of rows that are gone would pile up over a day
            keys = {row[0] for row in rows}
            self._lines = {key: line for key, line in self._lines.items() if key in keys}
        # the cursor belongs to a row, not to a place
        if (
            regrouped
            or len(rows) != len(before)
            or any(a[0] != b[0] for a, b in zip(before, rows, strict=True))
        ):
            if self.view.leads and at_start and self._order is None:
                self._key = rows[0][0] if rows else None
            self._resettle_cursor(follow=self.view.follows and at_end)

    def _in_order(self, rows: Sequence[Row], order: SortOrder) -> Sequence[Row]:
        """Return rows as they are sorted: anew once in a while, and as before meanwhile."""
        ranked = self._ranked
        # the price under the eyes would run away with each tick
        if not ranked or self._frame - self._sorted_at >= SORTED_EVERY:
            self._sorted_at = self._frame
            column = self.view.columns[order.column]
            # as wide as can be: what is cut would be sorted by its rest
            widths = [each.most or each.width for each in self.view.columns]
            ranks = [
                cell_rank(self.view.cells(row, self._now, widths)[order.column], right=column.right)
                for row in rows
            ]
            rows = [rows[place] for place in sorted_places(ranks, order)]
            self._ranked = {row[0]: place for place, row in enumerate(rows)}
            return rows
        # what has come since stands at the end until the next time
        return sorted(rows, key=lambda row: ranked.get(row[0], len(ranked)))

    def _group_rows(self) -> bool:
        """Put the rows of a group together, below its heading; return whether lines have moved."""
        # after sorting: inside its group a row stands where the order puts it
        groups = self.view.groups(self._rows)
        if not groups:
            moved, self._headings = bool(self._headings), {}
            self._places = self._line_of = range(len(self._rows))
            return moved
        before = self._headings
        self._rows = [row for _, members in groups for row in members]
        places, lines = list[int](), list[int]()
        self._headings = {}
        for heading, members in groups:
            self._headings[len(lines)] = heading
            places.append(-1)
            for _ in members:
                places.append(len(lines))
                lines.append(len(places) - 1)
        self._places, self._line_of = places, lines
        return before != self._headings

    def _resettle_cursor(self, *, follow: bool) -> None:
        """Rows came, went or moved: keep the cursor on its row and repaint all."""
        self.virtual_size = Size(self.size.width, len(self._places) + 1)
        last = max(len(self._rows) - 1, 0)
        if follow:
            self.cursor = last
        else:
            places = (i for i, row in enumerate(self._rows) if row[0] == self._key)
            self.cursor = min(next(places, self.cursor), last)
        # where its row is gone it belongs to the one that stands there now
        if self._rows:
            self._key = self._rows[self.cursor][0]
        self._show_cursor()
        self.refresh()

    def _row_line(self, row: Row) -> _PaintedLine[Row]:
        line = self._lines.get(row[0])
        if line is None:
            stamp = self.view.stamp(row, self._now)
            line = _PaintedLine(
                row, stamp, self.view.cells(row, self._now, self._widths), self._frame
            )
            self._lines[row[0]] = line
        return line

    def _update_line(self, row: Row) -> bool:
        """Bring a visible row's line up to date; return whether it must be repainted."""
        line = self._lines.get(row[0])
        if line is None:
            self._row_line(row)
            return True
        seen, line.frame = line.frame, self._frame
        stamp = self.view.stamp(row, self._now)
        if line.row is not row or line.stamp != stamp:
            before, line.row, line.stamp = line.cells, row, stamp
            line.cells = self.view.cells(row, self._now, self._widths)
            # a row that scrolls into sight has changed unseen: no flash
            if seen == self._frame - 1:
                self._mark_changes(line, before)
            line.strip = None
            return True
        if line.flashing and self._fade_flashes(line):
            line.strip = None
            return True
        return False

    def _mark_changes(self, line: _PaintedLine[Row], before: tuple[PaneCell, ...]) -> None:
        """Start the flash of the cells that changed."""
        for i, (old, new) in enumerate(zip(before, line.cells, strict=True)):
            # a value may move below what is shown
            if new.still or old.text == new.text:
                continue
            line.changed[i] = self._frame
            line.backdrops[i] = _flash_backdrop(old, new)
            line.flashing = self._frame + 2 * FLASH
        self._fade_flashes(line)

    def _fade_flashes(self, line: _PaintedLine[Row]) -> bool:
        """Move a line's flashes on; return whether one looks different now."""
        moved = False
        for i, since in list(line.changed.items()):
            old = self._frame - since
            if old >= 2 * FLASH:
                del line.changed[i], line.backdrops[i]
                moved = True
            elif old >= FLASH and not line.backdrops[i].endswith("-fading"):
                line.backdrops[i] += "-fading"
                moved = True
        if not line.changed:
            line.flashing = 0
        return moved

    # painting

    def _repaint_row(self, index: int) -> None:
        if index < len(self._line_of):
            line = self._line_of[index]
            self.refresh(Region(0, line + 1 - self.scroll_offset.y, self.size.width, 1))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Render lines past Textual's style cache, which costs more than the painting."""
        strips = [self.render_line(y) for y in crop.line_range]
        for line_filter in self.get_line_filters():
            strips = [
                strip.apply_filter(line_filter, self.background_colors[1]) for strip in strips
            ]
        left, right = crop.column_span
        return (
            strips
            if (left, right) == (0, self.size.width)
            else [strip.crop(left, right) for strip in strips]
        )

    def render_line(self, y: int) -> Strip:
        """Render one line of the viewport: the column heads first, rows below."""
        if self._tones is None:
            self._tones = self._tones_of()
        width = self.size.width
        self._fit_columns(width)
        if y == 0:
            return self._head_strip(self._tones, width)
        line = self.scroll_offset.y + y - 1
        # Between two lists of a view the old places may still stand when it is painted.
        if line < len(self._places) and self._places[line] < len(self._rows):
            place = self._places[line]
            if place < 0:
                return self._heading_strip(
                    self._tones, self._headings[self._places[line + 1]], width
                )
            return self._row_strip(self._tones, place, width)
        if line == 0:
            text = self._empty_text
            return Strip(
                [Segment(fit_text(f" {text}", width, right=False), self._tones.style("faint"))],
                width,
            )
        return Strip.blank(width, self.rich_style)

    def _head_strip(self, tones: ToneStyles, width: int) -> Strip:
        segments, used = list[Segment](), 0
        for slot in self._slots:
            title, tone = self.view.columns[slot.column].title, "faint"
            if self._order is not None and self._order.column == slot.column:
                tone, mark = "focus", "▴" if self._order.turned else "▾"
                title = mark + title if slot.right else title + mark
            # a head as wide as its column has the mark in the blank before it
            room = slot.width + (len(title) > slot.width)
            text = " " * (slot.gap + slot.width - room) + fit_text(title, room, slot.right)
            segments.append(Segment(text, tones.style(tone)))
            used += slot.gap + slot.width
        segments.append(Segment(" " * max(width - used, 0), tones.style("faint")))
        return Strip(segments).crop(0, width)

    def _heading_strip(self, tones: ToneStyles, heading: str, width: int) -> Strip:
        text = fit_text(f" ── {heading} ", width, right=False)
        return Strip([Segment(text, tones.style("title"))], width)

    def _row_strip(self, tones: ToneStyles, index: int, width: int) -> Strip:
        line = self._row_line(self._rows[index])
        under = index == self.cursor and self.has_focus
        if under:
            # never kept: the cursor goes on, and the strip without it still holds
            return self._paint_line(tones, line, width, "cursor")
        if line.strip is None:
            line.strip = self._paint_line(tones, line, width, "")
        return line.strip

    def _paint_line(
        self, tones: ToneStyles, line: _PaintedLine[Row], width: int, backdrop: str
    ) -> Strip:
        segments: list[Segment] = []
        blank = tones.style("", backdrop)
        text, style, used = "", blank, 0
        for slot in self._slots:
            cell = line.cells[slot.column]
            flash = line.backdrops.get(slot.column)
            ink = tones.style(cell.tone, flash or backdrop)
            if flash:
                segments += (Segment(text, style), Segment(" " * slot.gap, blank))
                text, style = "", ink
            # segments are joined where the style stays: fewer of them is what painting costs
            elif ink is not style:
                segments.append(Segment(text, style))
                text, style = " " * slot.gap, ink
            else:
                text += " " * slot.gap
            text += fit_text(cell.text, slot.width, slot.right, names=slot.names)
            used += slot.gap + slot.width
        segments += (Segment(text, style), Segment(" " * (width - used), blank))
        strip = Strip([segment for segment in segments if segment.text], width)
        if self.wanted:
            return mark_hits(strip, plain_words(self.wanted), tones.ink("notice") + _HIT)
        return strip

    # keys, mouse, size

    def watch_cursor(self, before: int, after: int) -> None:
        """Move the mark and remember the key of its row."""
        if after < len(self._rows):
            self._key = self._rows[after][0]
        self._repaint_row(before)
        self._repaint_row(after)

    def _show_cursor(self) -> None:
        page = max(self.size.height - 1, 1)
        line = self._line_of[self.cursor] if self.cursor < len(self._line_of) else 0
        # with the first row of a group its heading comes into sight
        first = line - 1 if self.cursor in self._headings else line
        top = min(max(self.scroll_offset.y, line - page + 1), first)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def _move_cursor(self, index: int) -> None:
        self.cursor = max(0, min(index, len(self._rows) - 1))
        self._show_cursor()

    def action_go(self, steps: int) -> None:
        """Move the cursor by rows."""
        self._move_cursor(self.cursor + steps)

    def action_page(self, pages: int) -> None:
        """Move the cursor by screenfuls."""
        self._move_cursor(self.cursor + pages * max(self.size.height - 2, 1))

    def action_first(self) -> None:
        """Go to the first row."""
        self._move_cursor(0)

    def action_last(self) -> None:
        """Go to the last row, and stay there in a list that grows."""
        self._move_cursor(len(self._rows) - 1)

    def action_attention(self) -> None:
        """Go to the next row that needs an eye, round the end."""
        n = len(self._rows)
        for step in range(1, n + 1):
            index = (self.cursor + step) % n
            if self.view.attention(self._rows[index]):
                self._move_cursor(index)
                return

    def action_open(self) -> None:
        """Say that the row under the cursor was opened."""
        row = self.chosen
        if row is not None:
            self.post_message(self.RowOpened(self.view.name, row))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the clicked row; a head sorts."""
        # handlers of a name run for every class of a widget: this one alone is called
        self._click_cell(event.x, event.y)

    def _click_cell(self, x: int, y: int) -> None:
        line = self.scroll_offset.y + y - 1
        if y == 0:
            self._click_head(x)
        elif line < len(self._places) and self._places[line] >= 0:
            self._move_cursor(self._places[line])

    def _click_head(self, x: int) -> None:
        edge = 0
        for slot in self._slots:
            edge += slot.gap + slot.width
            if x < edge:
                self.sort_by(clicked_order(self._order, slot.column))
                return

    def on_resize(self, event: events.Resize) -> None:
        """Lay the columns out for the new width."""
        self._fit_columns(event.size.width)
        self.virtual_size = Size(event.size.width, len(self._places) + 1)
        # with less height the last row would slip out of sight
        if self.view.follows and self.cursor >= len(self._rows) - 1:
            self._move_cursor(len(self._rows) - 1)
        self.refresh()

    def on_focus(self) -> None:
        """Show the cursor's row."""
        self._repaint_row(self.cursor)

    def on_blur(self) -> None:
        """Take the cursor's mark away."""
        self._repaint_row(self.cursor)
