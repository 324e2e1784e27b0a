"""The screen's end: a thread that follows a desk's board, and joins it again when it comes back.

What is asked of the desk is sent from the screen's own thread and never waits for a desk that does
not read.
"""

import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

import msgspec

from engine.board_rows import Board
from engine.errors import ConnectionFailed, OperatorError, PatangError
from engine.numbers import time_of_day
from engine.operator_requests import AttachRequest, EngineRequest, OperatorOutcome, refused
from engine.ops.control_socket import open_visit, read_answer
from tui.attach.board_wire import BoardCopy
from tui.attach.screen_messages import (
    LENGTH,
    MOST_BARS,
    MOST_TOLD,
    CallAnswer,
    DeskEnded,
    DeskMessage,
    MethodCall,
    PictureParts,
    PortValues,
    RequestOutcomes,
    ScreenLook,
    ScreenMessage,
    SubmittedRequest,
    UnlockScreen,
    encode_raw,
    framed_message,
    protocol_mark,
    read_desk_message,
    versions_differ,
)

AGAIN_S: Final = 1.0
"""Seconds between two attempts to join a desk that is gone."""
OLD_S: Final = 2.0
"""Seconds without a word after which a picture is called old."""
ANSWER_S: Final = 20.0
"""How long the answer of a call is waited for: it may read from a slow disk."""
OUTCOMES_KEPT: Final = 500


class ScreenPass(NamedTuple):
    """Credentials of a screen; the words are an operator's, and stay in memory."""

    role: Literal["viewer", "operator"]
    where: str
    words: str = ""

    # A traceback or a log must never show them.
    def __repr__(self) -> str:
        return f"ScreenPass({self.role!r})"


class DeskLink:
    """A screen's link to the desk that listens at `path`.

    `join` connects and raises; `follow` begins the thread that keeps the board up to date and joins
    again by itself.
    """

    def __init__(self, path: Path, credentials: ScreenPass, values: Sequence[str]) -> None:
        self.board = Board("")
        self.values: dict[str, msgspec.Raw] = {}
        """Plain values of the desk's port, by name, as they came."""
        self._path = path
        self._credentials = credentials
        self._names = [*values]
        self._copy = BoardCopy(self.board, self._want_bars)
        self._socket: socket.socket | None = None
        self._answers: BinaryIO | None = None
        self._sending = threading.Lock()
        self._heard = 0.0
        self._trouble = ""
        self._closed = threading.Event()
        self._numbers = itertools.count(1)
        self._outcomes: dict[int, OperatorOutcome] = {}
        self._asked: set[int] = set()
        self._calls: dict[int, CallAnswer] = {}
        self._called = threading.Condition()
        self._charts: dict[tuple[int, int], None] = {}
        self._filled = threading.Event()
        self._thread = threading.Thread(target=self._follow_desk, name="attached", daemon=True)

    @property
    def trouble(self) -> str:
        """Return why the picture is not of now, empty while it is."""
        if self._trouble:
            return self._trouble
        old = time.monotonic() - self._heard
        return f"PICTURE {old:.0f} s OLD" if old > OLD_S else ""

    def join(self) -> None:
        """Connect; raise `ConnectionFailed` without a desk, `OperatorError` where it says no."""
        role, where, words = self._credentials
        request = AttachRequest(role, protocol_mark(), where, self._names)
        connection = open_visit(self._path, request)
        answers = connection.makefile("rb")
        try:
            outcome = read_answer(self._path, answers)
            if outcome.verdict == "pending":
                connection.sendall(framed_message(UnlockScreen(words)))
                outcome = read_answer(self._path, answers)
        except (OSError, ConnectionFailed):
            connection.close()
            raise ConnectionFailed(f"the desk at {self._path} did not answer") from None
        if not outcome.ok:
            connection.close()
            raise _refusal_of(outcome)
        # Reading waits for ever: a frozen desk is a picture that grows old.
        connection.settimeout(None)
        self._copy.begin(str(outcome.data.get("mode", "")), str(outcome.data.get("place", "")))
        self._heard, self._trouble = time.monotonic(), ""
        self._socket, self._answers = connection, answers

    def follow(self, patience: float) -> None:
        """Begin to follow; return when there is a first picture, or after some seconds."""
        self._thread.start()
        self._filled.wait(patience)

    def close(self) -> None:
        """Leave the desk."""
        self._closed.set()
        self._hang_up()

    # what is asked

    def look(self) -> None:
        """Tell the desk what the screen looks at."""
        focus = self.board.focus
        with contextlib.suppress(ConnectionFailed):
            self._send_message(ScreenLook(focus.token, focus.span, [*self._charts]))

    def _want_bars(self, key: tuple[int, int]) -> None:
        if key in self._charts:
            return
        self._charts[key] = None
        while len(self._charts) > MOST_BARS:
            del self._charts[next(iter(self._charts))]
        self.look()

    def submit(self, request: EngineRequest) -> int:
        """Send a request to the engine; return the number of its outcome."""
        number = next(self._numbers)
        self._asked.add(number)
        try:
            self._send_message(SubmittedRequest(number, request))
        except ConnectionFailed as error:
            self._take_outcomes({number: refused(f"{error}: nothing was sent")})
        return number

    def outcome(self, number: int) -> OperatorOutcome | None:
        """Return the outcome of a request, None while it is pending."""
        return self._outcomes.get(number)

    def begin_call(self, method: str, arguments: Sequence[object]) -> int:
        """Call a method of the desk's port; return the number of its answer."""
        number = next(self._numbers)
        self._send_message(MethodCall(number, method, encode_raw(arguments)))
        return number

    def await_answer(self, number: int) -> CallAnswer:
        """Return the answer of a call; raise `ConnectionFailed` where none comes."""
        with self._called:
            found = self._called.wait_for(
                lambda: number in self._calls or self._socket is None, ANSWER_S
            )
            if not found or number not in self._calls:
                raise ConnectionFailed("the desk did not answer")
            return self._calls.pop(number)

    def _send_message(self, message: ScreenMessage) -> None:
        data = framed_message(message)
        with self._sending:
            connection = self._socket
            if connection is None:
                raise ConnectionFailed(self._trouble or "the desk is gone")
            try:
                # The screen must not wait for a desk that reads nothing.
                sent = connection.send(data, socket.MSG_DONTWAIT)
            except OSError:
                sent = 0
            if sent == len(data):
                return
        # Half a message cannot be taken back: what follows would be read as its end.
        self._hang_up()
        raise ConnectionFailed("the desk takes nothing")

    # what is told

    def _follow_desk(self) -> None:
        while not self._closed.is_set():
            answers = self._answers
            try:
                if answers is None:
                    self._join_again()
                else:
                    self._take_message(_next_message(answers))
            except (OSError, EOFError, ValueError) as error:
                self._lose_desk(error)

    def _join_again(self) -> None:
        if self._closed.wait(AGAIN_S):
            return
        try:
            self.join()
        except OperatorError as error:
            # It is there again, and says no: of another version, or with other words.
            self._trouble = f"NOT LET IN: {error}"
        except PatangError:
            return
        else:
            self.look()

    def _lose_desk(self, error: Exception) -> None:
        if self._closed.is_set():
            return
        ended = self._trouble
        self._hang_up()
        lost = "DESK LOST" if isinstance(error, OSError | EOFError) else f"DESK LOST: {error}"
        self._trouble = ended or f"{lost} {_time_text()} · waiting for it"
        # Whatever was on its way: nobody knows whether the desk has taken it.
        unknown = OperatorOutcome(
            "unknown", "the desk was lost meanwhile: look before asking again"
        )
        self._take_outcomes(dict.fromkeys([*self._asked], unknown))

    def _hang_up(self) -> None:
        with self._sending:
            connection, self._socket = self._socket, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._answers = None
        with self._called:
            self._called.notify_all()

    def _take_message(self, message: DeskMessage) -> None:
        self._heard = time.monotonic()
        if isinstance(message, PictureParts):
            for part in message.parts:
                self._copy.apply(part)
        elif isinstance(message, RequestOutcomes):
            self._take_outcomes(message.outcomes)
        elif isinstance(message, CallAnswer):
            with self._called:
                self._calls[message.number] = message
                self._called.notify_all()
        elif isinstance(message, PortValues):
            self.values |= message.values
            # They come behind the first whole picture.
            self._filled.set()
        elif isinstance(message, DeskEnded):
            self._trouble = f"DESK ENDED {_time_text()} · {message.text} · waiting for it"

    def _take_outcomes(self, outcomes: dict[int, OperatorOutcome]) -> None:
        self._outcomes |= outcomes
        self._asked -= outcomes.keys()
        while len(self._outcomes) > OUTCOMES_KEPT:
            del self._outcomes[next(iter(self._outcomes))]


def _time_text() -> str:
    return f"{time_of_day(time.time_ns())} IST"


def _refusal_of(outcome: OperatorOutcome) -> OperatorError:
    """Return a desk's no; one that knows no such request is older than this command."""
    if "no such request" in outcome.text:
        return versions_differ("", protocol_mark())
    return OperatorError(outcome.text)


def _next_message(answers: BinaryIO) -> DeskMessage:
    """Return the next message; raise `EOFError` at the end, `ValueError` for what is none."""
    size = int.from_bytes(_read_exactly(answers, LENGTH))
    if size > MOST_TOLD:
        raise ValueError(f"a message of {size} bytes")
    return read_desk_message(_read_exactly(answers, size))


def _read_exactly(answers: BinaryIO, size: int) -> bytes:
    data = answers.read(size)
    if len(data) < size:
        raise EOFError
    return data


def terminal_name() -> str:
    """Return the name of this terminal for the audit log, and from where it was reached."""
    try:
        name = os.ttyname(0).removeprefix("/dev/")
    except OSError:
        name = "no terminal"
    reached = os.environ.get("SSH_CLIENT", "").partition(" ")[0]
    return f"{name} from {reached}" if reached else name
