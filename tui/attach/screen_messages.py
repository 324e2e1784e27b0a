"""Messages between a desk and a screen that is attached to it.

A screen opens with an `AttachRequest`, a line at the desk's door like every other request, and gets
a line back. From then on both send messages: four bytes of length, then MessagePack. A screen of
another version is told so in that first line, which every version reads.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_type_hints

import msgspec

from engine import board_rows
from engine.errors import OperatorError
from engine.operator_requests import EngineRequest, OperatorOutcome
from tui.attach.board_wire import BoardPart

VIEWER, OPERATOR = "viewer", "operator"
LOOKS: Final = frozenset(
    {"trace", "earlier_orders", "strategy_totals", "past_commands", "keep_command", "search"}
)
"""Methods of a desk's port that only look, or keep what is the screen's own.

Any other one takes an operator: what nobody has thought of changes nothing.
"""
LENGTH: Final = 4
MOST_ASKED: Final = 1 << 20
"""Bytes of a message from a screen."""
MOST_TOLD: Final = 1 << 28
"""Bytes of a message from a desk; a part of a picture has a few thousand."""
MOST_BARS: Final = 32
"""Charts of which a screen is sent the bars."""

Message = TypeVar("Message")


class UnlockScreen(msgspec.Struct, tag="unlock", frozen=True):
    """The passphrase, for a screen that wants to act."""

    words: str

    # A traceback or a log must never show it.
    def __repr__(self) -> str:
        return "UnlockScreen()"


class ScreenLook(msgspec.Struct, tag="look", frozen=True):
    """Subject of a screen: an instrument and its bars (s), and the charts it shows."""

    token: int
    span: int
    bars: list[tuple[int, int]]


class SubmittedRequest(msgspec.Struct, tag="submit", frozen=True):
    """A request to the engine, under the screen's own number."""

    number: int
    request: EngineRequest


class MethodCall(msgspec.Struct, tag="call", frozen=True):
    """A call of a method of the desk's port; its arguments, in their order."""

    number: int
    method: str
    arguments: msgspec.Raw


ScreenMessage = UnlockScreen | ScreenLook | SubmittedRequest | MethodCall


class PictureParts(msgspec.Struct, tag="picture", frozen=True):
    """Changes of the board."""

    parts: list[BoardPart]


class RequestOutcomes(msgspec.Struct, tag="outcomes", frozen=True):
    """Outcomes of requests, by the screen's numbers."""

    outcomes: dict[int, OperatorOutcome]


class CallAnswer(msgspec.Struct, tag="answer", frozen=True):
    """The result of a call, or the class and text of the error it raised."""

    number: int
    result: msgspec.Raw
    error: str = ""
    text: str = ""


class PortValues(msgspec.Struct, tag="values", frozen=True):
    """Values of the desk's port that are new, by their names."""

    values: dict[str, msgspec.Raw]


class DeskEnded(msgspec.Struct, tag="ended", frozen=True):
    """The last word of a desk that ends in order."""

    text: str


DeskMessage = PictureParts | RequestOutcomes | CallAnswer | PortValues | DeskEnded


def _plain_value(value: object) -> object:
    """Return what MessagePack has no form for as one that it has."""
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be sent")


def _made_value(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(f"{kind.__name__} cannot be received")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain_value)
read_screen_message: Final[Callable[[bytes], ScreenMessage]] = msgspec.msgpack.Decoder(
    ScreenMessage
).decode
read_desk_message: Final[Callable[[bytes], DeskMessage]] = msgspec.msgpack.Decoder(
    DeskMessage
).decode


def encode_raw(value: object) -> msgspec.Raw:
    """Return a value as a part of a message."""
    return msgspec.Raw(_encoder.encode(value))


def decode_raw(raw: msgspec.Raw, kind: Any) -> Any:
    """Return the value of a type in a part of a message; raise `ValueError` for another one."""
    return msgspec.msgpack.decode(raw, type=kind, dec_hook=_made_value)


def framed_message(message: ScreenMessage | DeskMessage) -> bytes:
    """Return a message as it goes down the socket."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH) + body


@cache
def protocol_mark() -> str:
    """Return what two ends have to agree on, in twelve letters: every row and every request."""
    told = hashlib.sha256()
    rows = [kind for _, kind in sorted(vars(board_rows).items()) if hasattr(kind, "_fields")]
    board = vars(board_rows.Board("")), vars(board_rows.BoardFocus())
    for kind in (*rows, *get_args(EngineRequest), *get_args(ScreenMessage), *get_args(DeskMessage)):
        told.update(f"{kind.__name__} {get_type_hints(kind)}\n".encode())
    told.update(repr([sorted(names) for names in board]).encode())
    return told.hexdigest()[:12]


def versions_differ(desk: str, screen: str) -> OperatorError:
    """Return why a desk and a screen do not understand each other."""
    return OperatorError(
        f"the desk is of another version of patang ({desk or 'one before patang attach'}) than "
        f"this command ({screen}): attach with the one that started it"
    )
