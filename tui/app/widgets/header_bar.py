"""The line above the panes: time, session, the day's P&L, naked positions, feed, engine, kill switch."""

from collections.abc import Callable
from typing import Final, NamedTuple

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from engine.market.sessions import UNCONFIRMED
from engine.numbers import SECOND, clock, day_name, gain, left, rupees
from engine.texts import plain
from engine.trading.board import Board, Header
from engine.trading.gauges import OTHERS
from tui.theme import Tones
from tui.widgets.bands import KillState

STALLED: Final = 2 * SECOND
"""A heartbeat older than this means that the engine's loop hangs."""

_LONG: Final = {"continuous", "closed"}
_SOON: Final = {
    "auction reference": "closing auction", "continuous": "open", "closing": "close", "closed": "close",
    "unconfirmed": "unconfirmed hours",
}  # fmt: skip

_SLOW, _DEAD = 2 * SECOND, 5 * SECOND


_BRIEF: Final = {"day's P&L after charges": "P&L", "strategies": "strat"}


class Field(NamedTuple):
    """One figure of the header with its label; the lowest `rank` stays longest on a narrow terminal."""

    label: str
    text: str
    tone: str
    rank: int = 0


def fields(board: Board, lag: int, kill: KillState) -> list[Field]:
    """Return the header's figures; `lag` is how old the engine's heartbeat is (ns, -1: none yet)."""
    header = board.header
    pnl = "up" if header.pnl > 0 else "down" if header.pnl < 0 else "dim"
    return [
        Field(f"{day_name(header.now)} IST".strip(), clock(header.now), "strong"),
        Field("session", _session(header), "notice" if UNCONFIRMED in {header.phase, header.then} else "", 1),
        Field("day's P&L after charges", gain(header.pnl).strip(), pnl),
        Field("charges", rupees(header.charges), "dim", 4),
        Field("cash", rupees(header.cash), "dim", 5),
        *_strategies(board),
        Field("naked", str(header.naked), "danger" if header.naked else "dim"),
        *_reach(header),
        _feed(header),
        _engine(header, lag),
        Field("kill", kill.word, "danger" if kill.level else "dim"),
    ]


def _strategies(board: Board) -> list[Field]:
    """Say how many strategies run; one that has failed stays marked until somebody has looked."""
    rows = [row for row in board.strategies.rows[:] if row.name != OTHERS]
    runs = sum(not row.stopped for row in rows)
    failed = bool(board.failures.rows)
    if failed:
        return [Field("strategies", f"{runs}/{len(rows)} FAILED: d", "danger")]
    return [Field("strategies", f"{runs}/{len(rows)}", "dim" if runs == len(rows) else "notice", 3)] if rows else []


def _reach(header: Header) -> list[Field]:
    """Say that only a login helps, and how many intraday positions nobody can leave; nothing while the broker is there."""
    if not (header.login or header.overdue):
        return []
    what = [*(["LOG IN"] if header.login else []), *([f"{header.overdue} INTRADAY LEFT"] if header.overdue else [])]
    return [Field("broker", ": ".join(what), "danger")]


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
    if header.feed_lag:
        return Field("feed", f"{header.feed_lag // SECOND} s late", "danger")
    if old < 0:
        return Field("feed", "none yet", "notice")
    if old >= _SLOW and header.phase and header.phase != "continuous":
        return Field("feed", "quiet", "dim")
    text = f"{old / SECOND:.0f} s" if old >= _SLOW else "live"
    if old < _SLOW:
        return Field("feed", text, "dim", 2)
    return Field("feed", text, "danger" if old >= _DEAD else "notice")


def _engine(header: Header, lag: int) -> Field:
    if lag >= STALLED:
        return Field("engine", f"STALLED {lag // SECOND} s", "danger", 2)
    tone = {"running": "dim", "failed": "danger", "read-only": "danger"}.get(header.state, "notice")
    return Field("engine", plain(header.state), tone, 2 if tone == "dim" else 0)


def lines(shown: list[Field], width: int, tones: Tones) -> tuple[Text, Text]:
    """Return the labels and the figures below them, spread over `width`."""
    kept = _kept(shown, width, _wide)
    gap = min((width - 2 - sum(_wide(field) for field in kept)) // max(len(kept) - 1, 1), 9)
    labels, figures = Text(" ", no_wrap=True, end=""), Text(" ", no_wrap=True, end="")
    for field in kept:
        size = _wide(field) + gap
        labels.append(field.label.ljust(size), tones.ink("faint"))
        figures.append(field.text.ljust(size), _ink(field, tones))
    return labels, figures


def line(shown: list[Field], width: int, tones: Tones) -> Text:
    """Return everything in one line for a low terminal."""
    kept = [field._replace(label=_BRIEF.get(field.label, field.label)) for field in shown]
    if kept and kept[0].label.endswith("IST"):
        kept[0] = Field("IST", f"{' '.join(kept[0].label.split()[1:3])} {kept[0].text}".strip(), kept[0].tone)
    kept = _kept(kept, width, lambda field: len(_short(field)))
    text = Text(" ", no_wrap=True, end="")
    for field in kept:
        label = _short(field)[: -len(field.text)] if field.text else ""
        text.append(label, tones.ink("faint"))
        text.append(field.text + "  ", _ink(field, tones))
    return text


def _ink(field: Field, tones: Tones) -> Style:
    """Return the style of a figure; a gain or a loss is the boldest of the line."""
    style = tones.ink(field.tone)
    return style + Style(bold=True) if field.tone in {"up", "down"} else style


def _kept(shown: list[Field], width: int, size: Callable[[Field], int]) -> list[Field]:
    """Return the fields that fit, the most important ones first to be placed, in their order."""
    room = width - 1
    kept: list[Field] = []
    for field in sorted(shown, key=lambda field: field.rank):
        if size(field) + 2 <= room or not kept:
            room -= size(field) + 2
            kept.append(field)
    return sorted(kept, key=shown.index)


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

    def show(self, board: Board, lag: int, kill: KillState) -> None:
        """Show the figures of this frame."""
        now = fields(board, lag, kill)
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
