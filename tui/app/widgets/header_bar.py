"""The line above the panes: time, session, P&L, naked positions, feed, engine, switch."""

from collections.abc import Callable
from typing import Final, NamedTuple

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from compiled.model.values import SECOND
from engine.board_rows import OTHERS, Board, BoardHeader
from engine.live_pulses import STALLED
from engine.market.session_table import UNCONFIRMED
from engine.numbers import countdown, day_name, gain, rupees, time_of_day
from engine.texts import plain_text
from tui.app.widgets.status_bands import KillState
from tui.app.widgets.theme import ToneStyles

# of these the end matters less than what comes after it
_LONG: Final = {"continuous", "closed"}
_SOON: Final = {
    "auction reference": "closing auction",
    "continuous": "open",
    "closing": "close",
    "closed": "close",
    "unconfirmed": "unconfirmed hours",
}

_SLOW, _DEAD = 2 * SECOND, 5 * SECOND


# where everything stands in one line
_BRIEF: Final = {"day's P&L after charges": "P&L", "strategies": "strat"}


class HeaderField(NamedTuple):
    """One figure of the header; the lowest `rank` stays longest on a narrow terminal."""

    label: str
    text: str
    tone: str
    rank: int = 0


def header_fields(board: Board, lag: int, kill: KillState) -> list[HeaderField]:
    """Return the header's figures; `lag` is the heartbeat's age (ns, -1: none yet)."""
    header = board.header
    pnl = "up" if header.pnl > 0 else "down" if header.pnl < 0 else "dim"
    return [
        HeaderField(f"{day_name(header.now)} IST".strip(), time_of_day(header.now), "strong"),
        HeaderField(
            "session",
            _session_text(header),
            "notice" if UNCONFIRMED in {header.phase, header.then} else "",
            1,
        ),
        HeaderField("day's P&L after charges", gain(header.pnl).strip(), pnl),
        HeaderField("charges", rupees(header.charges), "dim", 4),
        HeaderField("cash", rupees(header.cash), "dim", 5),
        *_strategies_field(board),
        HeaderField("naked", str(header.naked), "danger" if header.naked else "dim"),
        *_broker_field(header),
        _feed_field(header),
        _engine_field(header, lag),
        HeaderField("kill", kill.word, "danger" if kill.level else "dim"),
    ]


def _strategies_field(board: Board) -> list[HeaderField]:
    """Return how many strategies run; a failed one stays marked until it is looked at."""
    rows = [row for row in board.strategies.rows[:] if row.name != OTHERS]
    runs = sum(not row.stopped for row in rows)
    failed = bool(board.failures.rows)
    # nothing else is said: a strategy that fell has to be looked at first
    if failed:
        return [HeaderField("strategies", f"{runs}/{len(rows)} FAILED: d", "danger")]
    return (
        [
            HeaderField(
                "strategies", f"{runs}/{len(rows)}", "dim" if runs == len(rows) else "notice", 3
            )
        ]
        if rows
        else []
    )


def _broker_field(header: BoardHeader) -> list[HeaderField]:
    """Return that a login is needed, and how many intraday positions cannot be left.

    Nothing while the broker is there.
    """
    if not (header.login or header.overdue):
        return []
    what = [
        *(["LOG IN"] if header.login else []),
        *([f"{header.overdue} INTRADAY LEFT"] if header.overdue else []),
    ]
    return [HeaderField("broker", ": ".join(what), "danger")]


def _session_text(header: BoardHeader) -> str:
    phase = plain_text(header.phase) or "-"
    if header.day_over:
        return "day over"
    # the board is older than the phase, or has no time yet
    if header.phase_ends <= header.now or not header.now:
        return phase
    if header.then and header.phase in _LONG:
        return (
            f"{_SOON.get(header.then, header.then.partition(' ')[0])} in "
            f"{countdown(header.phase_ends - header.now)}"
        )
    return f"{phase} {countdown(header.phase_ends - header.now)}"


def _feed_field(header: BoardHeader) -> HeaderField:
    old = header.feed_age
    # late ticks look like live ones: that goes before their age
    if header.feed_lag:
        return HeaderField("feed", f"{header.feed_lag // SECOND} s late", "danger")
    if old < 0:
        return HeaderField("feed", "none yet", "notice")
    # outside continuous trading few ticks are due
    if old >= _SLOW and header.phase and header.phase != "continuous":
        return HeaderField("feed", "quiet", "dim")
    text = f"{old / SECOND:.0f} s" if old >= _SLOW else "live"
    if old < _SLOW:
        return HeaderField("feed", text, "dim", 2)
    return HeaderField("feed", text, "danger" if old >= _DEAD else "notice")


def _engine_field(header: BoardHeader, lag: int) -> HeaderField:
    # whatever its last state was, a loop that hangs is in none
    if lag >= STALLED:
        return HeaderField("engine", f"STALLED {lag // SECOND} s", "danger", 2)
    tone = {"running": "dim", "failed": "danger", "read-only": "danger"}.get(header.state, "notice")
    return HeaderField("engine", plain_text(header.state), tone, 2 if tone == "dim" else 0)


def header_lines(shown: list[HeaderField], width: int, tones: ToneStyles) -> tuple[Text, Text]:
    """Return the labels and the figures below them, spread over `width`."""
    kept = _fitting_fields(shown, width, _field_width)
    gap = min((width - 2 - sum(_field_width(field) for field in kept)) // max(len(kept) - 1, 1), 9)
    labels, figures = Text(" ", no_wrap=True, end=""), Text(" ", no_wrap=True, end="")
    for field in kept:
        size = _field_width(field) + gap
        labels.append(field.label.ljust(size), tones.ink("faint"))
        figures.append(field.text.ljust(size), _field_style(field, tones))
    return labels, figures


def header_line(shown: list[HeaderField], width: int, tones: ToneStyles) -> Text:
    """Return everything in one line for a low terminal."""
    kept = [field._replace(label=_BRIEF.get(field.label, field.label)) for field in shown]
    if kept and kept[0].label.endswith("IST"):
        kept[0] = HeaderField(
            "IST", f"{' '.join(kept[0].label.split()[1:3])} {kept[0].text}".strip(), kept[0].tone
        )
    kept = _fitting_fields(kept, width, lambda field: len(_short_text(field)))
    text = Text(" ", no_wrap=True, end="")
    for field in kept:
        label = _short_text(field)[: -len(field.text)] if field.text else ""
        text.append(label, tones.ink("faint"))
        text.append(field.text + "  ", _field_style(field, tones))
    return text


def _field_style(field: HeaderField, tones: ToneStyles) -> Style:
    """Return the style of a figure; a gain or a loss is the boldest of the line."""
    style = tones.ink(field.tone)
    # it is what one looks for first, and colour alone is not seen by everybody
    return style + Style(bold=True) if field.tone in {"up", "down"} else style


def _fitting_fields(
    shown: list[HeaderField], width: int, size: Callable[[HeaderField], int]
) -> list[HeaderField]:
    """Return the fields that fit, the most important ones first to be placed, in their order."""
    room = width - 1
    kept: list[HeaderField] = []
    for field in sorted(shown, key=lambda field: field.rank):
        # a later field may fit where a longer one did not; the time is always there
        if size(field) + 2 <= room or not kept:
            room -= size(field) + 2
            kept.append(field)
    return sorted(kept, key=shown.index)


def _field_width(field: HeaderField) -> int:
    return max(len(field.label), len(field.text))


def _short_text(field: HeaderField) -> str:
    return (
        field.text if field.label in {"IST", "session", "engine"} else f"{field.label} {field.text}"
    )


class HeaderBar(Widget):
    """The header; two lines where there is room, one on a low terminal."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    HeaderBar { width: 100%; height: 3; padding: 0 0 1 0; background: $background; }
    """

    def __init__(self, tones: Callable[[], ToneStyles]) -> None:
        super().__init__()
        self._tones = tones
        self._fields: list[HeaderField] = []

    def show_figures(self, board: Board, lag: int, kill: KillState) -> None:
        """Show the figures of this frame."""
        now = header_fields(board, lag, kill)
        if now != self._fields:
            self._fields = now
            self.refresh()

    def render(self) -> Text:
        """Render the header."""
        width, tones = self.size.width, self._tones()
        if self.size.height < 2:
            return header_line(self._fields, width, tones)
        labels, figures = header_lines(self._fields, width, tones)
        return Text("\n", end="").join([labels, figures])
