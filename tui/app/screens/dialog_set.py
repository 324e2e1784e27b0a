"""The dialogs of the app, each made when it is first wanted and kept."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rich.console import RenderableType
from textual.app import App

from engine.operator_requests import OperatorOutcome
from tui.app.screens.modal_dialogs import (
    AnsweredEntry,
    EntryDialog,
    EntryField,
    HelpDialog,
    ModalDialog,
    QuestionDialog,
)

Kind = TypeVar("Kind", bound=ModalDialog[Any])


class DialogSet:
    """Opens dialogs on an app; `shown` is called once one has come up."""

    def __init__(self, app: App[None], mode: Callable[[], str], shown: Callable[[], None]) -> None:
        self._app = app
        self._mode = mode
        self._shown = shown
        self._made: dict[type[ModalDialog[Any]], ModalDialog[Any]] = {}

    def modal(self, kind: type[Kind]) -> Kind:
        """Return the one dialog of a kind."""
        made = self._made.get(kind)
        if made is None:
            made = self._made[kind] = kind(self._mode())
            # installed screens are kept when they close
            self._app.install_screen(made, kind.__name__.lower())
        if not isinstance(made, kind):
            raise TypeError(f"{made} is no {kind}")
        return made

    def ask_question(
        self,
        title: str,
        body: str | Callable[[], str],
        yes: str,
        then: Callable[[], None],
        *,
        keep: str = "Keep it",
    ) -> None:
        """Ask, and go on only by the second button."""
        question = self.modal(QuestionDialog)
        question.prepare(title, body, yes, keep)
        self.open_dialog(question, lambda said: then() if said == "yes" else None)

    def ask_choice(
        self,
        title: str,
        body: Callable[[], str],
        choices: tuple[str, str],
        then: Callable[[bool], None],
        *,
        keep: str = "Keep it",
    ) -> None:
        """Ask which of two things to do, the second of which goes further: `then` is told."""
        question = self.modal(QuestionDialog)
        question.prepare(title, body, choices[0], keep, choices[1])
        self.open_dialog(question, lambda said: then(said == "further") if said else None)

    def ask_entry(
        self,
        title: str,
        body: str,
        fields: Sequence[EntryField],
        check: Callable[[list[str]], str],
        then: Callable[[list[str]], None],
    ) -> None:
        """Ask for texts, and go on once `check` finds nothing wrong with them."""
        entry = self.modal(EntryDialog)
        entry.prepare(title, body, fields, check)
        self.open_dialog(entry, lambda texts: then(texts) if texts is not None else None)

    def ask_desk(
        self,
        title: str,
        body: str,
        fields: Sequence[EntryField],
        check: Callable[[list[str]], str],
        send: Callable[[list[str]], int],
        outcome: Callable[[int], OperatorOutcome | None],
    ) -> None:
        """Ask for texts, and keep asking until the desk has taken them; then say what it said."""
        entry = self.modal(AnsweredEntry)
        entry.prepare(title, body, fields, check)
        entry.prepare_answered(send, outcome)
        self.open_dialog(
            entry, lambda texts: self._app.notify(entry.told, markup=False) if texts else None
        )

    def explain(self, title: str, body: RenderableType | Callable[[], RenderableType]) -> None:
        """Show a text."""
        page = self.modal(HelpDialog)
        page.prepare(title, body)
        self.open_dialog(page, lambda _: None)

    def open_dialog(self, dialog: ModalDialog[Any], then: Callable[[Any], None]) -> None:
        """Bring a dialog up, unless it stands already."""
        # a key that repeats must not stack the same question
        if dialog in self._app.screen_stack:
            return
        dialog.fill_ahead()
        mounted = self._app.push_screen(dialog, then)
        # what is typed behind the key that opens it waits until it has fields
        self._app.call_next(lambda: mounted)
        # at once, not with the next frame: its bands would be empty until then
        self._shown()
