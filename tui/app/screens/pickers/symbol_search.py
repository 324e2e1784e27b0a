"""Search for a symbol over all that is under watch and all that can be traded."""

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.board_rows import WatchRow
from engine.errors import PatangError
from engine.market.instrument_search import FoundInstrument, expiry_text, option_name
from engine.numbers import count
from engine.texts import plain_text
from tui.app.desk_port import DeskPort
from tui.app.screens.action_palette import closeness
from tui.app.screens.modal_dialogs import DIALOG_BOX, ModalDialog
from tui.app.widgets.pane_view import fit_text
from tui.app.widgets.theme import ToneStyles

ROWS: Final = 12
MOST: Final = 200
"""Instruments that are named; the others are counted."""
_SYMBOL: Final = 22


def watched_matches(rows: Sequence[WatchRow], typed: str) -> list[FoundInstrument]:
    """Return what is under watch and matches a text, the closest first."""
    ranked = [(closeness(typed, row.symbol), row) for row in rows]
    return [
        FoundInstrument(row.symbol, row.exchange, row.kind, "")
        for rank, row in sorted(ranked, key=lambda each: -each[0])
        if rank
    ]


def merged_matches(
    watched: Sequence[FoundInstrument], listed: Sequence[FoundInstrument], typed: str
) -> list[FoundInstrument]:
    """Return both, each symbol once: the very one that was typed, what is under watch, the rest."""
    named = {each.symbol: each for each in listed}
    # the list knows names and expiries, the board does not
    every = {each.symbol: named.get(each.symbol, each) for each in watched} | named
    wanted = typed.strip().upper()
    return sorted(every.values(), key=lambda each: each.symbol != wanted)


class FoundList(Widget):
    """Found instruments, a line each."""

    ALLOW_SELECT = False
    DEFAULT_CSS = f"FoundList {{ height: {ROWS}; width: 100%; }}"

    def __init__(self) -> None:
        super().__init__()
        self.tones: ToneStyles | None = None
        self.rows: Sequence[FoundInstrument] = ()
        self.watched: frozenset[str] = frozenset()
        self.cursor = 0

    @property
    def chosen(self) -> FoundInstrument | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def show_rows(self, rows: Sequence[FoundInstrument], cursor: int) -> None:
        """Show these, with the cursor on one of them."""
        self.rows, self.cursor = rows, max(0, min(cursor, len(rows) - 1))
        self.refresh()

    def render(self) -> Text:
        """Render the rows around the cursor."""
        tones, width = self.tones, self.size.width
        if tones is None:
            return Text()
        first = max(0, min(self.cursor - ROWS // 2, len(self.rows) - ROWS))
        lines = []
        for number, row in enumerate(self.rows[first : first + ROWS], first):
            under = number == self.cursor
            line = Text("▎" if under else " ", tones.ink("focus"), no_wrap=True, end="")
            line.append("● " if row.symbol in self.watched else "  ", tones.ink("up"))
            symbol = fit_text(row.symbol, _SYMBOL, right=False, names=True)
            line.append(f"{symbol} ", tones.ink("strong"))
            line.append(fit_text(_segment_text(row), 13, right=False), tones.ink("dim"))
            line.append(fit_text(expiry_text(row.expiry), 11, right=False), tones.ink("dim"))
            line.append(fit_text(row.name, 40, right=False), tones.ink("" if under else "dim"))
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return Text("\n", end="").join(lines)


def _segment_text(row: FoundInstrument) -> str:
    option = option_name(row.symbol) if row.kind in {"CE", "PE"} else None
    if option is not None:
        return f"{option.strike} {option.side}"
    return f"{row.exchange} {'' if row.kind == 'EQ' else row.kind.lower()}"


class SymbolSearch(ModalDialog[FoundInstrument | None]):
    """Type a few letters; dismissed with what was chosen, None by escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("down,ctrl+n", "step(1)", show=False),
        Binding("up", "step(-1)", show=False),
        Binding("pagedown", f"step({ROWS})", show=False),
        Binding("pageup", f"step(-{ROWS})", show=False),
    ]
    DEFAULT_CSS = f"""
    SymbolSearch {{ {DIALOG_BOX}
        align: center top; background: $background 40%;
        #box {{ width: 84; max-width: 98%; margin-top: 4; padding: 0 1; max-height: 90%; }}
        Input, Input:focus {{ height: 1; border: none; background: $surface; margin: 1 0; }}
        #count {{ color: $ink-dim; height: 1; }}
        #keys {{ width: 100%; }}
    }}
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._title = self._hint = ""
        self._face: DeskPort | None = None
        self._watched: Callable[[], Sequence[WatchRow]] = tuple
        self._list = FoundList()
        self._searching = ""
        """The text that is being looked for, empty while nothing is."""
        self._waits_to_choose = False

    def prepare(self, title: str, hint: str, face: DeskPort, tones: ToneStyles) -> None:
        """Take where to look, and the words and styles of now."""
        self._title, self._hint, self._face = title, hint, face
        self._watched = lambda: face.board.watch.rows[:]
        self._list.tones = tones

    def compose(self) -> ComposeResult:
        """Show the field above what is found."""
        yield self.bands
        with Container(id="box"):
            yield Static(id="title")
            yield Input(placeholder="symbol, name, strike, expiry", select_on_focus=False)
            yield self._list
            yield Static(id="count")
            yield Static(id="keys")

    def fill_widgets(self) -> None:
        """Begin with what is under watch."""
        self.query_one("#title", Static).update(Text(plain_text(self._title)))
        self.query_one("#keys", Static).update(Text(plain_text(self._hint)))
        field = self.query_one(Input)
        field.value = ""
        self.set_focus(field)
        self._waits_to_choose = False
        self._show_matches("", (), 0)

    def _show_matches(self, typed: str, listed: Sequence[FoundInstrument], found: int) -> None:
        watched = self._watched()
        self._list.watched = frozenset(row.symbol for row in watched)
        rows = merged_matches(watched_matches(watched, typed), listed, typed)
        self._list.show_rows(rows, 0)
        if found > len(rows):
            text = f"{count(len(rows))} of {count(found)}"
        elif self._searching:
            text = f"{count(len(rows))} so far, looking through all that can be traded ..."
        else:
            text = count(len(rows)) if rows else "nothing of that name"
        self.query_one("#count", Static).update(f" {text} · ● under watch")

    @on(Input.Changed)
    def _text_changed(self, event: Input.Changed) -> None:
        typed = event.value.strip()
        self._waits_to_choose = False
        self._searching = typed
        # what is under watch at once, the rest when it has been looked through
        self._show_matches(typed, (), 0)
        if typed:
            self.run_worker(self._search_all(typed), exclusive=True)

    async def _search_all(self, typed: str) -> None:
        assert self._face is not None
        try:
            # a search takes milliseconds; the first one waits for the lists
            found = await asyncio.to_thread(self._face.search, typed, MOST)
        except PatangError as error:
            self._searching = ""
            self.query_one("#count", Static).update(Text(f" {plain_text(str(error))}"))
            return
        if typed != self._searching:
            return
        self._searching = ""
        self._show_matches(typed, found.rows, found.matches)
        if self._waits_to_choose:
            self._choose_row()

    @on(Input.Submitted)
    def _field_submitted(self) -> None:
        # typed faster than it was looked for: what is meant is not known yet
        if self._searching:
            self._waits_to_choose = True
        else:
            self._choose_row()

    def _choose_row(self) -> None:
        self._waits_to_choose = False
        if self._list.chosen is not None:
            self.dismiss(self._list.chosen)

    def action_step(self, steps: int) -> None:
        """Move the cursor."""
        self._list.show_rows(self._list.rows, self._list.cursor + steps)
