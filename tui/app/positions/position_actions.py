"""The acts on the position or the ladder under the cursor."""

import asyncio
from typing import Protocol, TypeVar

from rich.text import Text

from engine.board_rows import LadderRow, PositionRow
from engine.errors import PatangError
from engine.texts import plain_text
from tui.app.desk_port import DeskPort
from tui.app.positions.act_dialog import ActDialog, SentAct
from tui.app.positions.position_forms import ALL, FORMS, held_rows
from tui.app.positions.tree_pane import TreeRow
from tui.app.screens.dialog_set import DialogSet

Row = TypeVar("Row")


class PositionHost(Protocol):
    """The app as acts on positions need it."""

    def chosen(self, row_type: type[Row]) -> Row | None:
        """Return the row under the cursor, if it is of that type."""
        ...

    def follow(self, label: str, number: int) -> None:
        """Show what becomes of a request that has been handed in."""
        ...

    def warn(self, text: str) -> None:
        """Show why nothing is done."""
        ...


class PositionActions:
    """Opens the dialog of an act, and the life of what stands in the tree."""

    def __init__(self, host: PositionHost, face: DeskPort, dialogs: DialogSet) -> None:
        self._host = host
        self._face = face
        self._dialogs = dialogs

    def open_act(self, act: str) -> None:
        """Open the dialog of an act ("exit", "stop", "add", "reverse") on what is chosen."""
        symbol, key = self._chosen_position()
        if not symbol:
            return
        # The row may have left while the key was on its way.
        if not held_rows(self._face.board, symbol):
            self._host.warn(f"{symbol} is flat already")
            return
        form = FORMS[act](self._face.board, symbol, key)
        # A ladder is all its rungs, where the rung under the cursor is the one that is meant.
        if self._host.chosen(LadderRow) is not None:
            form.scope = ALL
            form.at_first = form.first_texts()
        dialog = self._dialogs.modal(ActDialog)
        dialog.prepare(form, self._face)

        def follow(sent: SentAct | None) -> None:
            if sent is not None:
                self._host.follow(sent.label, sent.number)

        self._dialogs.open_dialog(dialog, follow)

    def tree_symbol(self) -> str:
        """Return the symbol whose tree is wanted."""
        return self._chosen_position()[0]

    async def trace_row(self) -> bool:
        """Show the life of the order or GTT under the cursor in the tree, read from the journal.

        Return whether the cursor is in the tree.
        """
        row = self._host.chosen(TreeRow)
        if row is None or not row.trace:
            return row is not None
        try:
            # a slow disk must not hold up the screen
            lines = await asyncio.to_thread(self._face.trace, row.trace)
        except PatangError as error:
            self._host.warn(str(error))
            return True
        title = f"{row.symbol} · {row.what.strip()} · {row.state}"
        self._dialogs.explain(title, Text("\n".join(["", *map(plain_text, lines)])))
        return True

    def _chosen_position(self) -> tuple[str, str]:
        """Return the symbol under the cursor, and the key of its rung where that is meant."""
        position = self._host.chosen(PositionRow)
        if position is not None:
            return position.symbol, position.key
        ladder = self._host.chosen(LadderRow)
        if ladder is not None:
            return ladder.symbol, ladder.keys[-1] if ladder.keys else ""
        tree = self._host.chosen(TreeRow)
        if tree is not None:
            return tree.symbol, tree.key[1:] if tree.key.startswith("r") else ""
        return "", ""
