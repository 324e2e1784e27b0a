"""A form for a backtest or a sweep: what was given last stands in it, and it is checked first."""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.suggester import Suggester
from textual.widgets import Input, Label, Static

from engine.errors import PatangError
from engine.texts import plain_text
from tui.app.research_port import FormOffer, JobRequest
from tui.app.screens.modal_dialogs import DIALOG_BOX, ModalDialog
from tui.app.widgets.choice_field import ChoiceField

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "backtest": {
        "strategy": "name, or a configuration file; empty: all that are enabled",
        "symbols": "INFY,SBIN, @FILE or an index; empty: the strategy's, else all",
        "from": "YYYY-MM-DD; empty: the first bar",
        "to": "YYYY-MM-DD; empty: the last bar",
        "span": "seconds, or ticks; empty: the shortest that is heard",
        "settings": "slow=30 stop_percent=2",
        "cash": "rupees; empty: as configured",
    },
    "sweep": {
        "strategy": "name",
        "symbols": "INFY,SBIN; each is a trial of its own",
        "from": "YYYY-MM-DD; empty: the first bar",
        "to": "YYYY-MM-DD; empty: the last bar",
        "axes": "fast=5:25:5 slow=20,50,100",
        "sampler": "grid, random or tpe; empty: grid",
        "workers": "processes; empty: one less than there are cores",
        "cash": "rupees; empty: as configured",
    },
}
"""The fields of each form with what is said while they are empty."""
LABELS: Final = {"settings": "--set", "axes": "axes"}
NAMES: Final = (
    *("strategy", "symbols", "from", "to", "span"),
    *("settings", "axes", "sampler", "workers", "cash"),
)
"""All of them, in the order of both forms."""
ENDINGS: Final = ("goes on", "ends")
"""What becomes of it when the screen is left."""
_SAMPLERS: Final = ("grid", "random", "tpe")


def completed_field(name: str, text: str, strategy: str, offer: FormOffer) -> str | None:
    """Return a field's text with its last word completed; None where nothing fits."""
    if name == "strategy":
        return _first_that_begins(text, offer.strategies)
    if name == "sampler":
        return _first_that_begins(text, _SAMPLERS)
    if name == "symbols":
        head, comma, last = text.rpartition(",")
        found = _first_that_begins(last.upper(), offer.symbols)
        return f"{head}{comma}{found}" if found else None
    if name in {"settings", "axes"}:
        head, blank, last = text.rpartition(" ")
        known = [f"{each}=" for each in offer.parameters.get(strategy, ())]
        found = _first_that_begins(last, known) if "=" not in last else None
        return f"{head}{blank}{found}" if found else None
    return None


def _first_that_begins(text: str, choices: "list[str] | tuple[str, ...]") -> str | None:
    return next((each for each in choices if text and each.startswith(text) and each != text), None)


class FieldSuggester(Suggester):
    """Completes one field of a form."""

    def __init__(self, form: "ResearchForm", name: str) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._form = form
        self._name = name

    async def get_suggestion(self, value: str) -> str | None:
        """Return the completion of what stands in the field."""
        form = self._form
        return completed_field(self._name, value, form.texts.get("strategy", ""), form.offer)


class ResearchForm(ModalDialog[str | None]):
    """The fields of a job; it stays open until the job was started, or escape leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]
    DEFAULT_CSS = f"""
    ResearchForm {{ {DIALOG_BOX}
        #box {{ width: 84; padding: 0 2; }}
        .line {{ height: 1; }}
        Label {{ width: 10; color: $ink-dim; }}
        Input, Input:focus {{
            height: 1; width: 1fr; border: none; background: $surface; padding: 0 1;
        }}
        ChoiceField {{ width: 1fr; }}
        #told {{ height: auto; max-height: 3; margin-top: 1; color: $ink-dim; }}
        #told.-wrong {{ color: $danger; }}
        #title {{ margin-bottom: 1; }}
    }}
    """

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self.kind = "backtest"
        self.offer = FormOffer([], {}, [])
        self._given: Mapping[str, str] = {}
        self._last: Mapping[str, str] = {}
        """What was given the last time, once that is read."""
        self._start: Callable[[JobRequest], Awaitable[str]] | None = None
        self._busy = False

    def prepare(
        self,
        kind: str,
        given: Mapping[str, str],
        start: Callable[[JobRequest], Awaitable[str]],
    ) -> None:
        """Take what stands in the fields, and what checks and starts it."""
        self.kind, self._given, self._start = kind, given, start
        self._last, self._busy = {}, False

    def take_offer(self, kind: str, offer: FormOffer) -> None:
        """Take the choices as soon as they are read, and what was given last where all is empty."""
        self.offer = offer
        if kind != self.kind:
            return
        # somebody may have begun to type meanwhile: what stands there is theirs
        untouched = self.is_mounted and self.texts == self._first_texts()
        self._last = offer.last
        if untouched:
            self._fill_fields()

    def _first_texts(self) -> dict[str, str]:
        return {
            name: self._given.get(name) or self._last.get(name, "") for name in FIELDS[self.kind]
        }

    def compose(self) -> ComposeResult:
        """Show a line for each field."""
        yield self.bands
        with Container(id="box"):
            yield Static(id="title")
            for name in NAMES:
                with Horizontal(classes="line", id=f"line-{name}"):
                    yield Label(LABELS.get(name, name))
                    yield Input(id=name, suggester=FieldSuggester(self, name))
            with Horizontal(classes="line"):
                yield Label("on leaving")
                yield ChoiceField(ENDINGS, id="ending")
            yield Static(id="told")
            yield Static("enter starts it  tab next  → takes the completion  esc", id="keys")

    def fill_widgets(self) -> None:
        """Show what was given last."""
        fields = FIELDS[self.kind]
        self.query_one("#title", Static).update(Text(f"New {self.kind}"))
        for name in NAMES:
            self.query_one(f"#line-{name}").display = name in fields
            field = self.query_one(f"#{name}", Input)
            field.value, field.placeholder = "", fields.get(name, "")
        self._fill_fields()
        self.query_one("#ending", ChoiceField).show_choice(ENDINGS[0], fixed=False)
        # said before anything begins: whoever stops it later loses nothing
        self._show_told("it runs beside the desk; what is done is kept, whenever it is stopped")
        self.set_focus(self.query_one("#strategy", Input))

    def _fill_fields(self) -> None:
        for name, text in self._first_texts().items():
            field = self.query_one(f"#{name}", Input)
            field.value = text
            field.cursor_position = len(text)

    @property
    def texts(self) -> dict[str, str]:
        """What stands in the fields."""
        return {name: self.query_one(f"#{name}", Input).value.strip() for name in FIELDS[self.kind]}

    @on(Input.Submitted)
    async def _form_given(self, event: Input.Submitted) -> None:
        event.stop()
        if self._busy or self._start is None:
            return
        # to go on is the default: hours of trials must not hang on a terminal
        tied = self.query_one("#ending", ChoiceField).value == ENDINGS[1]
        request = JobRequest(self.kind, {k: v for k, v in self.texts.items() if v}, tied)
        self._busy = True
        self._show_told("checking ...")
        # in a task of its own: the keys, escape among them, must not wait for it
        self.run_worker(self._start_job(request), exclusive=True)

    async def _start_job(self, request: JobRequest) -> None:
        assert self._start is not None
        try:
            told = await self._start(request)
        except PatangError as error:
            self._show_told(str(error), wrong=True)
        else:
            if self.is_current:
                self.dismiss(told)
        finally:
            self._busy = False

    def action_leave(self) -> None:
        """Go back; what is being checked is not started any more."""
        self.workers.cancel_node(self)
        self.dismiss(None)

    def _show_told(self, text: str, *, wrong: bool = False) -> None:
        told = self.query_one("#told", Static)
        told.set_class(wrong, "-wrong")
        told.update(Text(plain_text(text)))
