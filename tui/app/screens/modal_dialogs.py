"""Modal dialogs: a question with the focus on "no", an entry of figures, an explanation.

Each is made once and shown again: a screen that is closed is garbage of the kind that is collected
rarely.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, NamedTuple, TypeVar

from rich.console import RenderableType
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from engine.operator_requests import OperatorOutcome
from engine.texts import plain_text
from tui.app.screens.screen_frame import DrawnScreen, ScreenFrame, show_bands
from tui.app.widgets.status_bands import StatusBands

DIALOG_BOX = """
    align: center middle;
    background: $background 70%;
    #box {
        width: 68; max-width: 96%; height: auto; max-height: 80%; background: $panel;
        padding: 1 2;
           border-left: thick $accent; }
    #title { text-style: bold; color: $ink-strong; }
    #body { margin: 1 0; height: auto; color: $ink; }
    #keys { color: $ink-faint; width: 1fr; height: 1; }
    #buttons { height: 1; align-horizontal: right; }
    Button {
        height: 1; min-width: 12; border: none; margin-left: 2; background: $surface;
        color: $ink-dim;
    }
    Button:focus { background: $accent; color: $background; text-style: bold; }
    #yes, #further { color: $danger; }
    #yes:focus, #further:focus { background: $danger; color: $background; }
"""

Answer = TypeVar("Answer")


def _plain_text(lines: str) -> Text:
    return Text("\n".join(map(plain_text, lines.splitlines())))


class ModalDialog(DrawnScreen, ModalScreen[Answer]):
    """A modal that leaves the bands in sight."""

    ALLOW_SELECT: ClassVar[bool] = False
    # Priority: else what is typed after it would reach the field while this key waits in a queue.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.bands = StatusBands(mode)
        self._filled = False

    def draw(self, frame: ScreenFrame) -> None:
        """Keep the bands up to date."""
        show_bands(self.bands, frame)

    def on_mount(self) -> None:
        """Show what it was opened with."""
        self._filled = True
        self.fill_widgets()

    def fill_ahead(self) -> None:
        """Show what it is opened with before it comes up again: a key may be on its way to it."""
        if self.is_mounted:
            self._filled = True
            self.fill_widgets()

    def on_screen_resume(self) -> None:
        """Show it as it was opened, where nothing has done so."""
        if not self._filled:
            self.fill_widgets()
        self._filled = False

    def fill_widgets(self) -> None:
        """Put what it was opened with into its widgets."""
        raise NotImplementedError


class QuestionDialog(ModalDialog[str]):
    """Question, dismissed with "yes" or "further" only by those buttons, else with "".

    The body follows the market while it stands.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss('')", show=False),
        Binding("right,l", "app.focus_next", show=False),
        Binding("left,h", "app.focus_previous", show=False),
    ]
    DEFAULT_CSS = f"QuestionDialog {{ {DIALOG_BOX} }}"
    AUTO_FOCUS = "#cancel"

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._title = self._yes = self._keep = self._further = self._shown = ""
        self._body: Callable[[], str] = str

    def prepare(
        self, title: str, body: str | Callable[[], str], yes: str, keep: str, further: str = ""
    ) -> None:
        """Take the words of the next question; a body may be a call, made at each frame.

        `further` is a button that does more than yes, empty for none.
        """
        self._title, self._yes, self._keep, self._further = title, yes, keep, further
        self._body = body if callable(body) else lambda: body

    def compose(self) -> ComposeResult:
        """Show the question above its buttons."""
        yield self.bands
        with Container(id="box"):
            yield Static(id="title")
            yield Static(id="body")
            with Horizontal(id="buttons"):
                yield Static("← →  enter  esc", id="keys")
                yield Button("", id="cancel", compact=True)
                yield Button("", id="yes", compact=True)
                yield Button("", id="further", compact=True)

    def fill_widgets(self) -> None:
        """Show the words; the focus is on the button that changes nothing."""
        further = self.query_one("#further", Button)
        further.label = Text(plain_text(self._further))
        further.display = bool(self._further)
        self._shown = self._body()
        self.query_one("#title", Static).update(Text(plain_text(self._title)))
        self.query_one("#body", Static).update(_plain_text(self._shown))
        self.query_one("#cancel", Button).label = self._keep
        self.query_one("#yes", Button).label = Text(plain_text(self._yes))
        # enter by mistake changes nothing
        self.set_focus(self.query_one("#cancel", Button))

    def draw(self, frame: ScreenFrame) -> None:
        """Keep the bands and the body up to date."""
        super().draw(frame)
        body = self._body()
        # an update costs a layout, and most frames change no word
        if body != self._shown and self.is_mounted:
            self._shown = body
            self.query_one("#body", Static).update(_plain_text(body))

    @on(Button.Pressed)
    def _button_pressed(self, event: Button.Pressed) -> None:
        pressed = event.button.id or ""
        self.dismiss(pressed if pressed in {"yes", "further"} else "")


class EntryField(NamedTuple):
    """One field of an entry: its label, and its text while it is empty."""

    label: str
    hint: str


FIELDS: Final = 2
"""Most fields an entry has."""


class EntryDialog(ModalDialog[list[str] | None]):
    """Entry of up to two texts.

    It stays open until they are right, and is dismissed with None by escape.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]
    DEFAULT_CSS = f"""
    EntryDialog {{ {DIALOG_BOX}
        #error {{ color: $danger; height: auto; }}
        Label {{ color: $ink-dim; margin-top: 1; }}
        Input, Input:focus {{ height: 1; border: none; background: $surface; }}
        #keys {{ margin-top: 1; }}
    }}
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._title = self._body = ""
        self._fields: Sequence[EntryField] = ()
        self._check: Callable[[list[str]], str] = lambda _: ""

    def prepare(
        self, title: str, body: str, fields: Sequence[EntryField], check: Callable[[list[str]], str]
    ) -> None:
        """Take the words of the next entry; `check` returns the fault of its texts, or ""."""
        self._title, self._body, self._fields, self._check = title, body, fields, check

    def compose(self) -> ComposeResult:
        """Show the question above its fields."""
        yield self.bands
        with Container(id="box"):
            yield Static(id="title")
            yield Static(id="body")
            for number in range(FIELDS):
                yield Label(id=f"label-{number}")
                yield Input(id=f"field-{number}")
            yield Static(id="error")
            yield Static("tab next field  enter done  esc leaves it as it is", id="keys")

    def fill_widgets(self) -> None:
        """Show the words, the fields empty and the focus in the first."""
        self.query_one("#title", Static).update(Text(plain_text(self._title)))
        self.query_one("#body", Static).update(_plain_text(self._body))
        self.query_one("#error", Static).update("")
        for number in range(FIELDS):
            label, field = (
                self.query_one(f"#label-{number}", Label),
                self.query_one(f"#field-{number}", Input),
            )
            label.display = field.display = number < len(self._fields)
            # a reason of the last time must not stand for this one
            field.value = ""
            if number < len(self._fields):
                label.update(Text(self._fields[number].label))
                field.placeholder = self._fields[number].hint
        self.set_focus(self.query_one("#field-0", Input))

    @property
    def texts(self) -> list[str]:
        """What stands in the fields."""
        return [
            self.query_one(f"#field-{n}", Input).value.strip() for n in range(len(self._fields))
        ]

    @on(Input.Submitted)
    def _field_submitted(self, event: Input.Submitted) -> None:
        """Go on to the field that is empty still, or end where nothing is wrong."""
        number = int((event.input.id or "field-0").removeprefix("field-"))
        # enter goes on to what is still missing, and does not send half of it
        if number + 1 < len(self._fields) and not self.texts[number + 1]:
            self.query_one(f"#field-{number + 1}", Input).focus()
            return
        wrong = self._check(self.texts)
        if wrong:
            self.query_one("#error", Static).update(Text(plain_text(wrong)))
        else:
            self.accept()

    def accept(self) -> None:
        """End with the texts: nothing is wrong with them."""
        self.dismiss(self.texts)


class AnsweredEntry(EntryDialog):
    """Entry that the desk has to take: it stays open with the complaint until it does.

    `send` hands the texts over and returns a number, `outcome` what has become of it (None: nothing
    yet).
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._send: Callable[[list[str]], int] = lambda _: 0
        self._outcome: Callable[[int], OperatorOutcome | None] = lambda _: None
        self._number: int | None = None
        self.told = ""
        """What the desk has said in the end."""

    def prepare_answered(
        self,
        send: Callable[[list[str]], int],
        outcome: Callable[[int], OperatorOutcome | None],
    ) -> None:
        """Take who is asked."""
        self._send, self._outcome, self._number = send, outcome, None

    def accept(self) -> None:
        """Hand the texts over; one request at a time."""
        if self._number is None:
            self._number = self._send(self.texts)
            self.query_one("#error", Static).update("asking the desk …")

    def draw(self, frame: ScreenFrame) -> None:
        """Keep the bands up to date, and look for the answer."""
        super().draw(frame)
        # What was typed stays: a refused value is mended, not typed again.
        said = self._outcome(self._number) if self._number is not None else None
        if said is None:
            return
        self._number = None
        if said.ok:
            self.told = said.text
            self.dismiss(self.texts)
        else:
            self.query_one("#error", Static).update(Text(plain_text(said.text)))


class HelpDialog(ModalDialog[bool]):
    """Show a text until a key closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,question_mark,q,enter,d", "dismiss(False)", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("space,pagedown", "scroll(12)", show=False),
        Binding("pageup", "scroll(-12)", show=False),
    ]
    DEFAULT_CSS = f"""
    HelpDialog {{ {DIALOG_BOX}
        #box {{ width: 112; max-width: 100%; height: auto; max-height: 90%; padding: 0 2; }}
        #body {{ height: auto; max-height: 100%; margin: 0; scrollbar-size-vertical: 1; }}
        &.-low #box {{ margin-top: 2; max-height: 100%; padding: 0 1; }}
    }}
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self._title = ""
        self._body: RenderableType | Callable[[], RenderableType] = ""

    def prepare(self, title: str, body: RenderableType | Callable[[], RenderableType]) -> None:
        """Take the next text; one that is called is made anew when it comes up."""
        self._title, self._body = title, body

    def compose(self) -> ComposeResult:
        """Show the text, scrollable."""
        yield self.bands
        with Container(id="box"):
            yield Static(id="title")
            with VerticalScroll(id="body", can_focus=False):
                yield Static(id="text")

    def on_resize(self, event: events.Resize) -> None:
        """Take the whole height of a low terminal."""
        self.set_class(event.size.height < 30, "-low")

    def fill_widgets(self) -> None:
        """Show the text from its beginning."""
        self.query_one("#title", Static).update(Text(plain_text(self._title)))
        self.query_one("#text", Static).update(self._body() if callable(self._body) else self._body)
        self.query_one("#body").scroll_home(animate=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one("#body").scroll_relative(y=lines, animate=False)
