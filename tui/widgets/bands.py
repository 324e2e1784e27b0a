"""What stands above every screen, modals included, and cannot be hidden: the mode, and the kill switch when it is set."""

from typing import ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from tui.numbers import plain

MODES: Final = {
    "SANDBOX": "a simulated exchange; no money moves",
    "REPLAY": "a recorded day; no money moves",
    "DRY-RUN": "live prices, decisions recorded, nothing sent",
    "PAPER": "live prices, simulated fills",
    "SHADOW": "real orders, each beside a simulated twin",
    "LIVE": "real orders, real money",
}


def mode_text(mode: str, width: int, note: str = "") -> Text:
    """Return the mode band: the mode spelled out in the middle, a note at the right end."""
    name = plain(mode)
    words = f"{' '.join(name) if width >= 60 else name}   {MODES.get(mode, '')}".strip()
    line = words[:width].center(width)
    text = Text(line, no_wrap=True, end="")
    text.stylize("bold", 0, len(line) - len(line.lstrip()) + len(name) * 2)
    if note:
        shown = f" {note} "[:width]
        text.truncate(width - len(shown))
        text.append(shown, Style(bold=True, reverse=True))
    return text


def kill_lines(kill: str, reason: str, confirmed: bool, width: int) -> list[str]:
    """Return the lines of the kill band: what has happened, what can be done."""
    done = {"halt": "HALTED", "flatten": "FLATTENING"} if confirmed else {"halt": "HALTING", "flatten": "FLATTENING"}
    what = f"KILL SWITCH · {done.get(kill, kill.upper())}"
    if reason:
        what += f" · {plain(reason)}"
    if not confirmed:
        what += " · latched, engine yet to confirm"
    halted = ["no new entries, working ones cancelled, protection stays", "^k ^k flattens", "patang resume unlatches"]
    todo = halted if kill == "halt" else ["every position is being exited", "patang resume unlatches when it is over"]
    while len(todo) > 1 and len(" · ".join(todo)) > width:
        todo.pop()
    return [_hazard(what, width), _centred(" · ".join(todo), width)]


def _hazard(text: str, width: int) -> str:
    room = max(width - 12, 0)
    shown = text if len(text) <= room else text[: max(room - 1, 0)] + "…"
    side = (width - len(shown) - 2) // 2
    stripes = "▚" * max(side, 0)
    return f"{stripes} {shown} {'▚' * max(width - len(shown) - 2 - side, 0)}"


def _centred(text: str, width: int) -> str:
    return (text if len(text) <= width else text[: width - 1] + "…").center(width)


class ModeBand(Widget):
    """The mode, over the full width."""

    DEFAULT_CSS = """
    ModeBand {
        width: 100%; height: 1; color: white; background: $mode-dry-run;
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

    def show(self, mode: str, note: str) -> None:
        """Show a mode and a note."""
        if (mode, note) == (self._mode, self._note):
            return
        self.set_class(False, f"-{self._mode.lower()}")
        self._mode, self._note = mode, note
        if mode in MODES:
            self.set_class(True, f"-{mode.lower()}")
        self.refresh()

    def render(self) -> Text:
        """Render the band."""
        return mode_text(self._mode, self.size.width, self._note)


class KillBand(Widget):
    """The kill switch, over the full width; not there while it is open."""

    DEFAULT_CSS = """
    KillBand {
        width: 100%; height: 3; display: none; color: black; background: $kill; text-style: bold;
        &.-flatten { background: $kill-flatten; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown = ("", "", True)

    def show(self, kill: str, reason: str, *, confirmed: bool) -> None:
        """Show the state of the switch: "", "halt" or "flatten"; `confirmed` once the engine's board says so too."""
        if (kill, reason, confirmed) == self._shown:
            return
        self._shown = (kill, reason, confirmed)
        self.display = bool(kill)
        self.set_class(kill == "flatten", "-flatten")
        self.refresh()

    def render(self) -> Text:
        """Render the band."""
        kill, reason, confirmed = self._shown
        width = self.size.width
        return Text("\n".join(["▚" * width, *kill_lines(kill, reason, confirmed, width)]), no_wrap=True, end="")


class Bands(Container):
    """Both bands, docked at the top of every screen."""

    DEFAULT_CSS = "Bands { dock: top; width: 100%; height: auto; }"
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = ModeBand(mode)
        self._kill = KillBand()

    def compose(self) -> ComposeResult:
        """Stack the mode above the kill switch."""
        yield self._mode
        yield self._kill

    def show(self, mode: str, note: str, kill: str, reason: str, *, confirmed: bool) -> None:
        """Show the mode, a note, and the state of the kill switch."""
        self._mode.show(mode, note)
        self._kill.show(kill, reason, confirmed=confirmed)
