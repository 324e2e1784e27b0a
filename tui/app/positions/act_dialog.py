"""The dialog of an act on a position: live figures, fields, a button that says what it does."""

from typing import ClassVar, Final, NamedTuple

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.widgets import Button, Input, Label, Static

from engine.texts import plain_text
from tui.app.desk_port import DeskPort
from tui.app.positions.position_forms import ActError, ActForm
from tui.app.screens.modal_dialogs import DIALOG_BOX, ModalDialog
from tui.app.screens.screen_frame import ScreenFrame
from tui.app.widgets.choice_field import ChoiceField

FIELDS: Final = 2
"""Most fields a form has."""
_ANSWERS: Final = 12
"""Frames in which the desk answers what it can answer at once; after that the footer shows it."""
_LOW: Final = 30


class SentAct(NamedTuple):
    """A request that has been handed in: its number, and its label."""

    number: int
    label: str


class ActField(Input):
    """A field that knows the form's letters: `h` for a half, `b` for the break-even."""

    def __init__(self, number: int) -> None:
        super().__init__(id=f"field-{number}", select_on_focus=True)
        self.number = number
        self.form: ActForm | None = None

    async def _on_key(self, event: events.Key) -> None:
        # Before the field sees the letter: a number has none.
        text = self.form.shortcut(self.number, event.character or "") if self.form else ""
        if text:
            event.stop()
            event.prevent_default()
            self.value = text
            self.cursor_position = len(text)
            return
        await super()._on_key(event)


class ActDialog(ModalDialog[SentAct | None]):
    """One act; dismissed with what was handed in, or with None. What is refused stays open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("down", "step(-1)", show=False, priority=True),
        Binding("up", "step(1)", show=False, priority=True),
        Binding("pagedown", "step(-10)", show=False),
        Binding("pageup", "step(10)", show=False),
    ]
    DEFAULT_CSS = f"""
    ActDialog {{ {DIALOG_BOX}
        #box {{ width: 76; max-height: 100%; padding: 1 2; }}
        #fields {{ height: auto; }}
        .field {{ height: 1; }}
        .field Label {{ width: 9; color: $ink-dim; }}
        .field Input, .field Input:focus {{
            height: 1; width: 18; border: none; background: $surface; padding: 0 1; }}
        .field ChoiceField {{ width: 1fr; }}
        #hint {{ color: $ink-faint; margin-left: 2; width: 1fr; height: 1; }}
        #answer {{ margin: 1 0; height: 1; color: $ink-dim; }}
        #answer.-refused {{ color: $danger; height: auto; }}
        #yes {{ color: $ink-strong; min-width: 26; }}
        &.-low #box {{ padding: 0 2; margin-top: 1; }}
        &.-low #body, &.-low #answer {{ margin: 0; }}
    }}
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._form: ActForm | None = None
        self._face: DeskPort | None = None
        self._asked: SentAct | None = None
        self._frames = 0
        self._shown = ""
        self._refused = ""

    def prepare(self, form: ActForm, face: DeskPort) -> None:
        """Take the next act."""
        self._form, self._face, self._asked, self._refused = form, face, None, ""

    def compose(self) -> ComposeResult:
        """Show figures, fields, answer and buttons."""
        yield self.bands
        with Container(id="box"):
            yield Static(id="title")
            yield Static(id="body")
            with Container(id="fields"):
                for number in range(FIELDS):
                    with Horizontal(id=f"row-{number}", classes="field"):
                        yield Label(id=f"label-{number}")
                        yield ActField(number)
                        if number == 0:
                            yield Static(id="hint")
                with Horizontal(id="row-scope", classes="field"):
                    yield Label("of")
                    yield ChoiceField(("all rungs",), id="scope")
            yield Static(id="answer")
            with Horizontal(id="buttons"):
                yield Static(id="keys")
                yield Button("Keep it", id="cancel", compact=True)
                yield Button("", id="yes", compact=True)

    def on_resize(self, event: events.Resize) -> None:
        """Keep everything in sight on a low terminal."""
        self.set_class(event.size.height < _LOW, "-low")

    def fill_widgets(self) -> None:
        """Show the form, with the focus in its first field."""
        form = self._form
        if form is None:
            return
        self.query_one("#title", Static).update(Text(plain_text(form.title)))
        for number in range(FIELDS):
            used = number < len(form.labels)
            self.query_one(f"#row-{number}").display = used
            field = self._act_field(number)
            field.form = form
            field.value = form.at_first[number] if used else ""
            self.query_one(f"#label-{number}", Label).update(
                Text(form.labels[number] if used else "")
            )
        self.query_one("#hint", Static).update(Text(form.hint))
        scope = self.query_one("#scope", ChoiceField)
        # The rungs of the last time are gone.
        scope.offer_choices(form.scopes)
        chosen = form.scope if form.scope in form.scopes else form.scopes[0]
        scope.show_choice(chosen, fixed=False)
        self.query_one("#row-scope").display = len(form.scopes) > 1
        keys = "↑↓ tick  tab  enter  esc" if form.prices else "tab  enter  esc"
        self.query_one("#keys", Static).update(Text(keys))
        self._shown = ""
        self._show_words()
        self.set_focus(self._act_field(0))
        self._act_field(0).action_select_all()

    def draw(self, frame: ScreenFrame) -> None:
        """Keep the figures up to date, and take the desk's answer."""
        super().draw(frame)
        if not self.is_mounted or not self.is_current:
            return
        self._take_answer()
        self._show_words()

    @property
    def texts(self) -> list[str]:
        """What stands in the fields."""
        count = len(self._form.labels) if self._form is not None else 0
        return [self._act_field(number).value.strip() for number in range(count)]

    @property
    def scope(self) -> str:
        """What it is done to."""
        return self.query_one("#scope", ChoiceField).value

    def _act_field(self, number: int) -> ActField:
        return self.query_one(f"#field-{number}", ActField)

    def _show_words(self) -> None:
        form = self._form
        if form is None:
            return
        lines = form.lines(self.texts, self.scope)
        verb = form.verb(self.texts, self.scope)
        answer = "asking the desk …" if self._asked is not None else self._refused
        words = "\n".join([*lines, verb, answer])
        # An update costs a layout, and most frames change no word.
        if words == self._shown:
            return
        self._shown = words
        self.query_one("#body", Static).update(Text("\n".join(map(plain_text, lines))))
        self.query_one("#yes", Button).label = Text(plain_text(verb))
        shown = self.query_one("#answer", Static)
        shown.set_class(bool(self._refused), "-refused")
        shown.update(Text(plain_text(answer)))

    # what was typed

    @on(Input.Changed)
    def _text_changed(self) -> None:
        self._show_refusal("")

    @on(ChoiceField.ChoiceTaken)
    def _scope_taken(self) -> None:
        self._show_refusal("")

    @on(Input.Submitted)
    def _text_submitted(self) -> None:
        """Do what was typed; where nothing was, go on to the button first."""
        form = self._form
        # Enter by mistake must not leave a whole position: it takes a second one.
        if form is not None and self.texts == form.at_first and not form.prices:
            self.query_one("#yes", Button).focus()
        else:
            self._send_request()

    @on(Button.Pressed)
    def _button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "yes":
            self._send_request()
        else:
            self.dismiss(None)

    def action_step(self, steps: int) -> None:
        """Move a price by ticks; in any other field go to the next one."""
        focused, form = self.focused, self._form
        if isinstance(focused, ActField) and form is not None and focused.number in form.prices:
            focused.value = form.stepped(focused.value, steps)
            focused.cursor_position = len(focused.value)
        elif steps < 0:
            self.focus_next()
        else:
            self.focus_previous()

    # the desk

    def _send_request(self) -> None:
        form, face = self._form, self._face
        # A second press while the desk is asked must not do it twice.
        if form is None or face is None or self._asked is not None:
            return
        try:
            request = form.request(self.texts, self.scope)
        except ActError as error:
            self._show_refusal(str(error))
            return
        label = f"{form.verb(self.texts, self.scope)} · {form.symbol}"
        self._asked, self._frames = SentAct(face.submit(request), label), 0
        self._show_words()

    def _take_answer(self) -> None:
        asked, face = self._asked, self._face
        if asked is None or face is None:
            return
        self._frames += 1
        outcome = face.outcome(asked.number)
        # What is refused stays with what was typed: it is mended here, not begun anew.
        if outcome is not None and not outcome.ok:
            self._asked = None
            self._show_refusal(outcome.text)
        elif outcome is not None or self._frames >= _ANSWERS:
            self._asked = None
            self.dismiss(asked)

    def _show_refusal(self, text: str) -> None:
        self._refused = text
        self._show_words()
