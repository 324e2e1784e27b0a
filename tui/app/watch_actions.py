"""The operator's acts on watch lists, symbols and price alerts."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from engine.board_rows import AlertRow, WatchRow
from engine.config.watch_lists import (
    EVERYTHING,
    WatchLists,
    change_watch_lists,
    read_watch_lists,
)
from engine.errors import ConfigError, PatangError
from engine.market.instrument_search import FoundInstrument
from engine.operator_requests import (
    AlertRequest,
    DropAlertRequest,
    EngineRequest,
    OperatorOutcome,
    UnwatchRequest,
    WatchRequest,
)
from tui.app.desk_port import DeskPort
from tui.app.panes.watch.alerts_pane import alert_words
from tui.app.panes.watch.watch_book import Change, WatchBook
from tui.app.panes.watchlist_pane import COLUMNS, USUAL
from tui.app.screens.dialog_set import DialogSet
from tui.app.screens.modal_dialogs import EntryField
from tui.app.screens.pickers.alert_dialog import AlertDialog
from tui.app.screens.pickers.pick_dialog import PickDialog
from tui.app.screens.pickers.symbol_search import SymbolSearch
from tui.app.widgets.theme import ToneStyles

READ_EVERY: Final = 50
"""Frames between two looks at the file: `patang watch` may have changed it."""
AT_ONCE: Final = 5
"""Symbols of a list that are asked for at the same time."""
OPEN: Final = frozenset({"running", "read-only", "by hand", "closed"})
"""States in which the desk takes instruments up."""


class WatchHost(Protocol):
    """The app as these acts need it."""

    def submit(self, label: str, request: EngineRequest) -> None:
        """Hand a request to the engine and show what becomes of it."""
        ...

    def warn(self, text: str) -> None:
        """Show why nothing is done."""
        ...

    def tones(self) -> ToneStyles:
        """Return the styles of the theme of now."""
        ...

    def show_symbol(self, symbol: str) -> None:
        """Look at a symbol on the screen of now."""
        ...

    def run_worker(self, work: Coroutine[Any, Any, None]) -> Any:
        """Do something beside the frames."""
        ...

    def pointed_symbol(self) -> tuple[str, float]:
        """Return the symbol that is pointed at, and the price, 0.0 for none."""
        ...


class WatchActions:
    """Acts on the row under the cursor, and what has to be followed afterwards."""

    def __init__(self, host: WatchHost, face: DeskPort, dialogs: DialogSet) -> None:
        self._host = host
        self._face = face
        self._dialogs = dialogs
        self.book = WatchBook()
        self._saving = asyncio.Lock()
        self._unsaved = 0
        self._frames = 0
        self._told = ""
        self._asked: dict[str, int] = {}
        """Symbols of the shown list that were asked for, and the number of the request."""
        self._wanted = ""
        """The symbol that is gone to once it is under watch."""

    def act(self, name: str, by: int) -> None:
        """Do what an action of the key table names; `by` is its step."""
        acts: dict[str, Callable[[], None]] = {
            "find": self.find,
            "add": self.add,
            "remove": self.remove,
            "move": lambda: self.move(by),
            "turn": lambda: self.turn(by),
            "lists": self.keep_lists,
            "group": self.book.turn_group,
            "tiles": self.book.turn_view,
            "columns": self.choose_columns,
            "alert": self.set_alert,
        }
        acts[name]()

    # each frame

    def follow(self) -> None:
        """Ask for what the shown list lacks, and go where one was on the way to."""
        if self._frames % READ_EVERY == 0 and not self._unsaved:
            self._host.run_worker(self._read_file())
        self._frames += 1
        for symbol, number in list(self._asked.items()):
            if (outcome := self._face.outcome(number)) is not None:
                self._take_outcome(symbol, outcome)
        board = self._face.board
        shown = self.book.current
        if shown is None and not self._wanted:
            return
        # built only while a list is shown, or somebody is on the way to a symbol
        there = {row.symbol for row in board.watch.rows[:]}
        if self._wanted in there:
            symbol, self._wanted = self._wanted, ""
            self._host.show_symbol(symbol)
        if shown is not None and board.header.state in OPEN:
            for symbol in shown.symbols:
                # each asks the broker for bands and history: not a whole list in one go
                if len(self._asked) >= AT_ONCE:
                    return
                if symbol not in there and symbol not in self.book.faults | self._asked:
                    self._asked[symbol] = self._face.submit(WatchRequest(symbol))

    def _take_outcome(self, symbol: str, outcome: OperatorOutcome) -> None:
        del self._asked[symbol]
        if not outcome.ok:
            self.book.faults[symbol] = outcome.text
            self._host.warn(outcome.text)

    # the file

    async def _read_file(self) -> None:
        file = self._face.watch_lists_file
        if file is None:
            return
        try:
            lists = await asyncio.to_thread(read_watch_lists, file)
        except PatangError as error:
            self._tell_once(str(error))
            return
        self._told = ""
        if not self._unsaved:
            self.book.take(lists)

    def _tell_once(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._host.warn(text)

    def _change_lists(self, change: Change) -> bool:
        """Change the lists at once, and their file beside the frames; return whether it can be."""
        try:
            self.book.apply(change)
        except ConfigError as error:
            self._host.warn(str(error))
            return False
        if self._face.watch_lists_file is not None:
            self._unsaved += 1
            self._host.run_worker(self._save_change(change))
        return True

    async def _save_change(self, change: Change) -> None:
        file = self._face.watch_lists_file
        assert file is not None
        try:
            # one after the other: each reads what the one before has written
            async with self._saving:
                lists = await asyncio.to_thread(change_watch_lists, file, change)
        except PatangError as error:
            self._host.warn(str(error))
        else:
            # a later change is on the screen already, and not in this file yet
            if self._unsaved == 1:
                self.book.take(lists)
        finally:
            self._unsaved -= 1

    # symbols

    def find(self) -> None:
        """Look for a symbol, and go to it; one that is not under watch is put there first."""
        self._open_search(
            "Go to a symbol",
            "enter goes there; what is not under watch is put there first  esc leaves",
            self._go_to,
        )

    def _go_to(self, found: FoundInstrument) -> None:
        symbol = found.symbol
        if any(row.symbol == symbol for row in self._face.board.watch.rows[:]):
            self._host.show_symbol(symbol)
            return
        self._wanted = symbol
        self._host.submit(f"watch {symbol}", WatchRequest(symbol))

    def add(self) -> None:
        """Look for a symbol, and put it in the list that is shown."""
        where = "under watch" if self.book.current is None else f"in {self.book.name}"
        self._open_search(
            f"Put a symbol {where}", "enter puts it there  esc leaves", self._add_found
        )

    def _add_found(self, found: FoundInstrument) -> None:
        symbol, shown = found.symbol, self.book.current
        if shown is not None:
            self.book.faults.pop(symbol, None)
            name = shown.name
            # what it lacks is asked for with the next frame
            self._change_lists(lambda lists: lists.add(name, [symbol]))
        else:
            self._host.submit(f"watch {symbol}", WatchRequest(symbol))

    def _open_search(self, title: str, hint: str, then: Callable[[FoundInstrument], None]) -> None:
        search = self._dialogs.modal(SymbolSearch)
        search.prepare(title, hint, self._face, self._host.tones())
        self._dialogs.open_dialog(search, lambda found: then(found) if found is not None else None)

    def remove(self) -> None:
        """Take the symbol under the cursor off the list, or ask whether off the watch."""
        symbol, _ = self._host.pointed_symbol()
        shown = self.book.current
        if not symbol:
            return
        if shown is not None:
            name = shown.name
            self._change_lists(lambda lists: lists.remove(name, symbol))
            return
        self._dialogs.ask_question(
            f"Take {symbol} off the watch?",
            "No prices of it come any more today; `a` puts it back.\nYour lists keep it.",
            "Take it off",
            lambda: self._host.submit(f"unwatch {symbol}", UnwatchRequest(symbol)),
        )

    def move(self, by: int) -> None:
        """Move the symbol under the cursor up or down in its list."""
        symbol, _ = self._host.pointed_symbol()
        shown = self.book.current
        if shown is None:
            self._host.warn(f"{EVERYTHING} has the desk's own order: l makes a list of yours")
        elif symbol in shown.symbols:
            name = shown.name
            self._change_lists(lambda lists: lists.move(name, symbol, by))

    # lists

    def keep_lists(self) -> None:
        """Show the lists, to open, make, rename, order and delete them."""
        book = self.book
        dialog = self._dialogs.modal(PickDialog)

        def shown(at: int) -> bool:
            book.show(book.names[at])
            return True

        def named(at: int) -> str:
            # the first is no list of the user's
            return book.names[at] if 0 < at < len(book.names) else ""

        def renamed(at: int) -> bool:
            if name := named(at):
                self._ask_name(f"Rename {name}", lambda new: lambda lists: lists.rename(name, new))
            return False

        def deleted(at: int) -> bool:
            if name := named(at):
                self._dialogs.ask_question(
                    f"Delete the list {name}?",
                    f"{len(book.lists.named(name).symbols)} symbols; they stay under watch today.",
                    "Delete it",
                    lambda: self._delete_list(name),
                )
            return False

        def moved(by: int) -> Callable[[int], bool]:
            def move(at: int) -> bool:
                name = named(at)
                if name and self._change_lists(lambda lists: lists.move_list(name, by)):
                    dialog.cursor = book.names.index(name)
                return False

            return move

        def made(at: int) -> bool:
            del at
            self._ask_name("A new watch list", lambda new: lambda lists: lists.create(new))
            return False

        dialog.prepare(
            "Watch lists",
            self._list_lines,
            {
                "enter": shown,
                "a": made,
                "m": renamed,
                "x": deleted,
                "J": moved(1),
                "K": moved(-1),
            },
            hint="enter opens  a new  m rename  x delete  J K order  esc leaves",
            cursor=book.names.index(book.name) if book.name in book.names else 0,
        )
        self._dialogs.open_dialog(dialog, lambda _: None)

    def _list_lines(self) -> list[str]:
        lists = self.book.lists
        watched = len(self._face.board.watch.rows)
        return [
            f"{EVERYTHING:<33}{watched:>5}",
            *(f"{each.name:<33}{len(each.symbols):>5}" for each in lists.lists),
        ]

    def _ask_name(self, title: str, change: Callable[[str], Change]) -> None:
        def fault(texts: list[str]) -> str:
            try:
                change(texts[0])(self.book.lists)
            except ConfigError as error:
                return str(error)
            return ""

        def then(texts: list[str]) -> None:
            if self._change_lists(change(texts[0])):
                self.book.show(texts[0])
                # it is there to be filled: the list of lists has done its part
                self._dialogs.modal(PickDialog).dismiss(None)

        self._dialogs.ask_entry(title, "", [EntryField("name", "as banks")], fault, then)

    def _delete_list(self, name: str) -> None:
        self._change_lists(lambda lists: lists.delete(name))

    # what is seen

    def turn(self, step: int) -> None:
        """Show the next list, or the one before."""
        if len(self.book.names) == 1:
            self._host.warn("there is one list: l makes others")
        self.book.turn(step)

    def choose_columns(self) -> None:
        """Choose the columns of the watch list."""
        names = [name for name in COLUMNS if name != "symbol"]

        def lines() -> list[str]:
            chosen = self.book.lists.columns or USUAL
            return [f"{'■' if name in chosen else '·'} {name}" for name in names]

        def turned(at: int) -> bool:
            chosen = set(self.book.lists.columns or USUAL) ^ {names[at]}
            ordered = tuple(name for name in names if name in chosen)
            self._change_lists(
                lambda lists: WatchLists(lists.lists, () if ordered == USUAL else ordered)
            )
            return False

        dialog = self._dialogs.modal(PickDialog)
        dialog.prepare(
            "Columns of the watch list",
            lines,
            {"space": turned, "enter": turned},
            hint="enter shows one or hides it  esc leaves",
        )
        self._dialogs.open_dialog(dialog, lambda _: None)

    # price alerts

    def set_alert(self) -> None:
        """Ask for a price alert on the symbol that is pointed at, at the cross-hair's price."""
        symbol, at = self._host.pointed_symbol()
        rows: list[WatchRow] = self._face.board.watch.rows[:]
        row = next((each for each in rows if each.symbol == symbol), rows[0] if rows else None)
        if row is None:
            self._host.warn("nothing is under watch that an alert could wait for")
            return
        # where the price would have to go to reach it
        way = "above" if at >= row.ltp else "below"
        dialog = self._dialogs.modal(AlertDialog)
        typed = f"{way} {at:.2f}" if at else ""
        dialog.prepare(row.symbol, row.ltp, typed, self._host.tones, self._drop_alert)
        self._dialogs.open_dialog(dialog, self._submit_alert)

    def _submit_alert(self, wanted: AlertRequest | None) -> None:
        if wanted is not None:
            self._host.submit(f"alert {wanted.symbol}", wanted)

    def _drop_alert(self, row: AlertRow) -> None:
        label = f"remove alert {row.symbol} {alert_words(row)}"
        self._host.submit(label, DropAlertRequest(row.number))
