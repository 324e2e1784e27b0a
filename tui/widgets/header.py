"""The line above the panes: time, session, the day's P&L, naked positions, feed, engine, kill switch."""

from collections.abc import Callable
from typing import Final, NamedTuple

from rich.text import Text
from textual.widget import Widget

from engine.market.sessions import UNCONFIRMED
from engine.trading.board import Header
from tui.numbers import SECOND, clock, gain, left, plain, rupees
from tui.theme import Tones

STALLED: Final = 2 * SECOND
"""A heartbeat older than this means that the engine's loop hangs."""

_LONG: Final = {"continuous", "closed"}
_SOON: Final = {
    "auction reference": "closing auction", "continuous": "open", "closing": "close", "closed": "close",
    "unconfirmed": "unconfirmed hours",
}  # fmt: skip

_SLOW, _DEAD = 2 * SECOND, 5 * SECOND


class Field(NamedTuple):
    """One figure of the header with its label; the highest `rank` goes first on a narrow terminal."""

    label: str
    text: str
    tone: str
    rank: int = 0


def fields(header: Header, lag: int, kill: str) -> list[Field]:
    """Return the header's figures; `lag` is how old the engine's heartbeat is (ns, -1: none yet)."""
    pnl = "up" if header.pnl > 0 else "down" if header.pnl < 0 else "dim"
    return [
        Field("IST", clock(header.now), "strong"),
        Field("session", _session(header), "notice" if UNCONFIRMED in {header.phase, header.then} else "", 1),
        Field("day's P&L after charges", gain(header.pnl).strip(), pnl),
        Field("charges", rupees(header.charges), "dim", 4),
        Field("cash", rupees(header.cash), "dim", 5),
        Field("naked", str(header.naked), "danger" if header.naked else "dim"),
        _feed(header),
        _engine(header, lag),
        Field("kill", {"": "ready", "halt": "HALT", "flatten": "FLATTEN"}.get(kill, kill), "danger" if kill else "dim"),
    ]


def _session(header: Header) -> str:
    phase = plain(header.phase) or "-"
    if header.day_over:
        return "day over"
    if header.phase_ends <= header.now or not header.now:
        return phase
    if header.then and header.phase in _LONG:
        return f"{_SOON.get(header.then, header.then.partition(' ')[0])} in {left(header.phase_ends - header.now)}"
    return f"{phase} {left(header.phase_ends - header.now)}"


def _feed(header: Header) -> Field:
    old = header.feed_age
    if old < 0:
        return Field("feed", "none yet", "notice")
    if old >= _SLOW and header.phase and header.phase != "continuous":
        return Field("feed", "quiet", "dim")
    text = f"{old / SECOND:.0f} s" if old >= _SLOW else "live"
    return Field("feed", text, "danger" if old >= _DEAD else "notice" if old >= _SLOW else "dim")


def _engine(header: Header, lag: int) -> Field:
    if lag >= STALLED:
        return Field("engine", f"STALLED {lag // SECOND} s", "danger", 2)
    tone = {"running": "dim", "failed": "danger", "read-only": "danger"}.get(header.state, "notice")
    return Field("engine", plain(header.state), tone, 2 if tone == "dim" else 0)


def lines(shown: list[Field], width: int, tones: Tones) -> tuple[Text, Text]:
    """Return the labels and the figures below them, spread over `width`."""
    kept = list(shown)
    while len(kept) > 1 and sum(_wide(field) for field in kept) + 2 * len(kept) > width:
        kept.remove(max(kept, key=lambda field: field.rank))
    gap = min((width - 2 - sum(_wide(field) for field in kept)) // max(len(kept) - 1, 1), 9)
    labels, figures = Text(" ", no_wrap=True, end=""), Text(" ", no_wrap=True, end="")
    for field in kept:
        size = _wide(field) + gap
        labels.append(field.label.ljust(size), tones.ink("faint"))
        figures.append(field.text.ljust(size), tones.ink(field.tone))
    return labels, figures


def line(shown: list[Field], width: int, tones: Tones) -> Text:
    """Return everything in one line for a low terminal."""
    kept = [field._replace(label="P&L" if field.label.startswith("day") else field.label) for field in shown]
    while len(kept) > 1 and sum(len(_short(field)) + 2 for field in kept) > width:
        kept.remove(max(kept, key=lambda field: field.rank))
    text = Text(" ", no_wrap=True, end="")
    for field in kept:
        label = _short(field)[: -len(field.text)] if field.text else ""
        text.append(label, tones.ink("faint"))
        text.append(field.text + "  ", tones.ink(field.tone))
    return text


def _wide(field: Field) -> int:
    return max(len(field.label), len(field.text))


def _short(field: Field) -> str:
    return field.text if field.label in {"IST", "session", "engine"} else f"{field.label} {field.text}"


class HeaderBar(Widget):
    """The header; two lines where there is room, one on a low terminal."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    HeaderBar { width: 100%; height: 3; padding: 0 0 1 0; background: $background; }
    """

    def __init__(self, tones: Callable[[], Tones]) -> None:
        super().__init__()
        self._tones = tones
        self._fields: list[Field] = []

    def show(self, header: Header, lag: int, kill: str) -> None:
        """Show the figures of this frame."""
        now = fields(header, lag, kill)
        if now != self._fields:
            self._fields = now
            self.refresh()

    def render(self) -> Text:
        """Render the header."""
        width, tones = self.size.width, self._tones()
        if self.size.height < 2:
            return line(self._fields, width, tones)
        labels, figures = lines(self._fields, width, tones)
        return Text("\n", end="").join([labels, figures])
