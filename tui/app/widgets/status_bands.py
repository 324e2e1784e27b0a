"""Bands above every screen, modals included: the mode, and a set kill switch."""

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from engine.day.replay_status import ReplayStatus
from engine.texts import plain_text
from tui.app.widgets.seek_bar import SeekBar, moment_words

MODES: Final = {
    "SANDBOX": "a simulated exchange; no money moves",
    "REPLAY": "a recorded day; no money moves",
    "DRY-RUN": "live prices, decisions recorded, nothing sent",
    "PAPER": "live prices, simulated fills",
    "SHADOW": "real orders, each beside a simulated twin",
    "LIVE": "real orders, real money",
}


def mode_text(
    mode: str, width: int, note: str = "", speed: float = 1.0, moment: Sequence[str] = ()
) -> Text:
    """Return the mode band: the mode in the middle, an unusual pace, a note at the right.

    The words of the `moment` of a past day take the place of pace and explanation, as many as fit.
    """
    name = plain_text(mode)
    pace = "" if speed == 1.0 else f"{speed:g} ×" if speed else "as fast as it can"
    spaced = " ".join(name) if width >= 60 else name
    said = [*moment] or [pace, MODES.get(mode, "")]
    while moment and len(said) > 2 and len("   ".join([spaced, *said])) > width:
        said.pop()
    words = "   ".join(filter(None, (spaced, *said)))
    # the mode is the one thing that must never be cut out of sight
    line = words[:width].center(width)
    shown = f" {note} "[: max(width - len(name) - 2, 0)] if note else ""
    if shown and moment:
        line = _line_beside_note(line, name, [spaced, *said], width - len(shown))
    # a long note leaves it the left end
    elif shown and (width + len(words)) // 2 - len(MODES.get(mode, "")) > width - len(shown):
        line = f" {name}".ljust(width)
    text = Text(line, no_wrap=True, end="")
    text.stylize("bold", 0, len(line) - len(line.lstrip()) + len(name) * 2)
    if shown:
        text.truncate(width - len(shown))
        text.append(shown, Style(bold=True, reverse=True))
    return text


def _line_beside_note(line: str, name: str, words: Sequence[str], room: int) -> str:
    """Return the line of a past day so far as a note leaves it room, without half a word."""
    begins = len(line) - len(line.lstrip())
    # What is there stays where it is: only the last words go, at least the time stays.
    for count in range(len(words), 1, -1):
        kept = " " * begins + "   ".join(words[:count])
        if len(kept) <= room:
            return kept.ljust(len(line))
    short = f" {name} {words[1]}"
    return (short if len(short) <= room else f" {name}").ljust(len(line))


class KillState(NamedTuple):
    """State of the kill switch: `level` "", "halt" or "flatten", and the engine's report."""

    level: str = ""
    reason: str = ""
    confirmed: bool = True
    flat: bool = False

    @property
    def word(self) -> str:
        """One word for it: ready, HALT, FLATTEN, FLAT."""
        if self.level == "flatten" and self.flat:
            return "FLAT"
        return self.level.upper() or "ready"


def kill_lines(state: KillState, width: int) -> list[str]:
    """Return the lines of the kill band: the event and the choices, never without the way on."""
    kill, reason, confirmed, flat = state
    flattened = "FLAT" if flat else "FLATTENING"
    done = {"halt": "HALTED" if confirmed else "HALTING", "flatten": flattened}
    what = f"KILL SWITCH · {done.get(kill, kill.upper())}"
    if reason:
        what += f" · {plain_text(reason)}"
    # the latch holds at once; what the engine does about it takes its next turn
    if not confirmed:
        what += " · latched, engine yet to confirm"
    resume = "^r or patang resume goes on"
    if kill == "halt":
        choices = [
            f"no new entries, working ones cancelled, protection stays · ^k ^k flattens · {resume}",
            f"protection stays · ^k ^k flattens · {resume}",
            f"^k ^k flattens · {resume}",
        ]
    else:
        choices = [
            f"{'every position is out' if flat else 'every position is being exited'} · {resume}"
        ]
    # whatever is left out, the way on stays
    todo = next((choice for choice in [*choices, resume] if len(choice) <= width), "^r goes on")
    return [_hazard_line(what, width), _centred_line(todo, width)]


def _hazard_line(text: str, width: int) -> str:
    room = max(width - 12, 0)
    shown = text if len(text) <= room else text[: max(room - 1, 0)] + "…"
    side = (width - len(shown) - 2) // 2
    stripes = "▚" * max(side, 0)
    return f"{stripes} {shown} {'▚' * max(width - len(shown) - 2 - side, 0)}"


def _centred_line(text: str, width: int) -> str:
    return (text if len(text) <= width else text[: width - 1] + "…").center(width)


class ModeBand(Widget):
    """The mode, over the full width."""

    DEFAULT_CSS = """
    ModeBand {
        width: 100%; height: 1; color: $mode-ink; background: $mode-dry-run;
        &.-sandbox { background: $mode-sandbox; }
        &.-replay { background: $mode-replay; }
        &.-paper { background: $mode-paper; }
        &.-shadow { background: $mode-shadow; }
        &.-live { background: $mode-live; }
    }
    """

    def __init__(self, mode: str) -> None:
        super().__init__(classes=f"-{mode.lower()}" if mode in MODES else "")
        self._mode = mode
        self._note = ""
        self._speed = 1.0
        self._moment: Sequence[str] = ()

    def show_moment(self, moment: Sequence[str]) -> None:
        """Show the moment of a past day that is played."""
        if moment != self._moment:
            self._moment = moment
            self.refresh()

    def show_mode(self, mode: str, note: str, speed: float) -> None:
        """Show a mode, a note and a pace."""
        if (mode, note, speed) == (self._mode, self._note, self._speed):
            return
        self.set_class(False, f"-{self._mode.lower()}")
        self._mode, self._note, self._speed = mode, note, speed
        if mode in MODES:
            self.set_class(True, f"-{mode.lower()}")
        self.refresh()

    def render(self) -> Text:
        """Render the band."""
        return mode_text(self._mode, self.size.width, self._note, self._speed, self._moment)


class KillBand(Widget):
    """The kill switch, over the full width; not there while it is open."""

    DEFAULT_CSS = """
    KillBand {
        width: 100%; height: 3; display: none;
        color: $kill-ink; background: $kill; text-style: bold;
        &.-flatten { background: $kill-flatten; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown = KillState()

    def show_kill_state(self, state: KillState) -> None:
        """Show the state of the switch."""
        if state == self._shown:
            return
        self._shown = state
        self.display = bool(state.level)
        self.set_class(state.level == "flatten", "-flatten")
        self.refresh()

    def render(self) -> Text:
        """Render the band."""
        width = self.size.width
        return Text("\n".join(["▚" * width, *kill_lines(self._shown, width)]), no_wrap=True, end="")


class StatusBands(Container):
    """Both bands, and the seek bar of a past day, docked at the top of every screen."""

    DEFAULT_CSS = "StatusBands { dock: top; width: 100%; height: auto; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = ModeBand(mode)
        self._kill = KillBand()
        self._seek = SeekBar()

    def compose(self) -> ComposeResult:
        """Stack the mode, the kill switch and the seek bar."""
        yield self._mode
        yield self._kill
        yield self._seek

    def show_status(self, mode: str, note: str, speed: float, kill: KillState) -> None:
        """Show the mode, a note, how fast its clock runs, and the state of the kill switch."""
        self._mode.show_mode(mode, note, speed)
        self._kill.show_kill_state(kill)

    def show_replay(self, status: ReplayStatus) -> None:
        """Show the moment of a past day, and where it lies in the day."""
        self._mode.show_moment(moment_words(status))
        # a dialog is drawn once before it is there
        if self._seek.is_attached:
            self._seek.show_replay(status)
