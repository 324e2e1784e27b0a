"""The desk's end of its attached screens: one thread, whatever becomes of any of them.

Ten times a second it reads what has changed on the board, once, and hands it to every screen. A
screen that takes less than it is sent is left alone until its line is free, and gets the whole
picture then: nothing waits for it, and what waits for it is bounded.
"""

import asyncio
import contextlib
import inspect
import json
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, NamedTuple, get_type_hints

from msgspec import structs

from engine.board_rows import MOST_LOOKERS, BarRow, Board, BoardFocus
from engine.errors import OperatorError, PatangError
from engine.operator_requests import (
    AttachRequest,
    OperatorOutcome,
    done,
    pending,
    refused,
)
from engine.orders.killswitch import one_line
from tui.attach.board_wire import BoardPart, BoardReader, bars_part
from tui.attach.operator_passphrase import PassphraseCheck
from tui.attach.screen_messages import (
    LENGTH,
    LOOKS,
    MOST_ASKED,
    MOST_BARS,
    OPERATOR,
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
    decode_raw,
    encode_raw,
    framed_message,
    protocol_mark,
    read_screen_message,
    versions_differ,
)
from tui.attach.screen_standing import REFUSED

FRAME_S: Final = 0.1
BACKLOG: Final = 1 << 20
"""Bytes that may wait for a screen before it gets nothing but, later, the whole picture."""
PATIENCE_S: Final = 5.0
"""How long a screen may take to say its passphrase, and the thread to end."""
MOST_OPEN: Final = 64
"""Requests of a screen that may be without an outcome."""
MOST_CALLS: Final = 4
"""Calls of a screen that may be on their way: each reads from disk in a thread of its own."""
FULL: Final = f"{MOST_LOOKERS} screens are attached: leave one of them"


class ScreenSeat(NamedTuple):
    """Seat before an attached screen."""

    role: str
    who: str
    """Role and terminal, as the audit log has them."""
    process: int


class AttachedScreen:
    """One screen: where it looks, what it has asked, and what it has been sent."""

    def __init__(self, seat: ScreenSeat, port: Any, writer: asyncio.StreamWriter) -> None:
        self.seat = seat
        self.port = port
        self.focus = BoardFocus()
        self.behind = True
        """It gets the whole picture next."""
        self.open: dict[int, int] = {}
        """Requests without an outcome: the screen's number, and the desk's."""
        self.bars: list[tuple[int, int]] = []
        self.values: dict[str, object] = {}
        self.calls = 0
        self._writer = writer
        self._reader = BoardReader(self.focus, "focus.")
        self._sent_bars: dict[tuple[int, int], tuple[BarRow, ...]] = {}

    @property
    def may_act(self) -> bool:
        """Return whether it may do more than look."""
        return self.seat.role == OPERATOR

    @property
    def waiting(self) -> int:
        """Return the bytes that its line has not taken."""
        return self._writer.transport.get_write_buffer_size()

    def send(self, message: DeskMessage) -> None:
        """Send a message, or leave it to the line to take it when it can."""
        self._writer.write(framed_message(message))

    def close(self) -> None:
        """Hang up."""
        self._writer.transport.abort()

    def look(self, look: ScreenLook) -> None:
        """Look at an instrument, and at charts."""
        self.focus.look_at(look.token, look.span)
        self.bars = look.bars[-MOST_BARS:]
        self._sent_bars = {key: bars for key, bars in self._sent_bars.items() if key in self.bars}

    def own_parts(self, board: Board) -> list[BoardPart]:
        """Return what has changed in what this screen alone looks at."""
        parts = [*self._reader.changes()]
        if self.behind:
            parts = [*self._reader.whole()]
            self._sent_bars = {}
        for key in self.bars:
            bars = board.bars.get(key)
            if bars is not None and self._sent_bars.get(key) is not bars:
                self._sent_bars[key] = bars
                parts.append(bars_part(key, bars))
        return parts

    def tell_outcomes(self) -> None:
        """Tell what has become of its requests."""
        found = {mine: self.port.outcome(theirs) for mine, theirs in self.open.items()}
        told = {number: outcome for number, outcome in found.items() if outcome is not None}
        for number in told:
            del self.open[number]
        if told:
            self.send(RequestOutcomes(told))

    def tell_values(self) -> None:
        """Tell what has changed of the port's plain values."""
        fresh = {
            name: value
            for name, value in ((name, getattr(self.port, name)) for name in self.values)
            if self.behind or value != self.values[name]
        }
        if fresh:
            self.values |= fresh
            self.send(PortValues({name: encode_raw(value) for name, value in fresh.items()}))


class ScreenServer:
    """The attached screens of one desk.

    `port_of` makes a desk's port that acts in a name, `note` writes into the audit log (who, act,
    detail), `failure` is called with what nobody foresaw.
    """

    def __init__(
        self,
        board: Board,
        port_of: Callable[[str], Any],
        passphrase: Path,
        note: Callable[[str, str, str], None],
        failure: Callable[[str, BaseException], None],
    ) -> None:
        self._board = board
        self._port_of = port_of
        self._check = PassphraseCheck(passphrase)
        self._note = note
        self._failure = failure
        self._reader = BoardReader(board)
        self._screens: tuple[AttachedScreen, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._frames: asyncio.Task[None] | None = None

    @property
    def seats(self) -> list[ScreenSeat]:
        """Return who is attached; from any thread."""
        return [screen.seat for screen in self._screens]

    def receive(self, connection: socket.socket, request: AttachRequest) -> None:
        """Take a visitor over, with the socket; from any thread."""
        with self._starting:
            if self._closed:
                connection.close()
                return
            if self._thread is None:
                # A desk to which nobody attaches has no such thread.
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run_loop, name="screens", daemon=True)
                self._thread.start()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(
            lambda: self._begin_task(self._serve_visitor(connection, request))
        )

    def close(self, farewell: str) -> None:
        """Say why to every screen, and end."""
        with self._starting:
            self._closed = True
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(lambda: self._begin_task(self._say_farewell(farewell)))
        thread.join(PATIENCE_S)

    def _run_loop(self) -> None:
        assert self._loop is not None
        try:
            self._loop.run_forever()
        finally:
            for task in self._tasks:
                task.cancel()
            # Those that read hang up as they end.
            self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
            self._loop.close()

    def _begin_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        assert self._loop is not None
        task = self._loop.create_task(work)
        # The loop keeps only a weak reference.
        self._tasks.add(task)
        task.add_done_callback(self._forget_task)
        return task

    def _forget_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failure("screens", error)

    async def _say_farewell(self, text: str) -> None:
        if self._frames is not None:
            self._frames.cancel()
        # The last state of the board goes with it: what a broken-off frame has taken is in it.
        for screen in self._screens:
            screen.behind = True
        await self._send_frame()
        for screen in self._screens:
            screen.send(DeskEnded(text))
        for _ in range(20):
            if not any(screen.waiting for screen in self._screens):
                break
            await asyncio.sleep(FRAME_S / 2)
        asyncio.get_running_loop().stop()

    # one screen, from its coming to its going

    async def _serve_visitor(self, connection: socket.socket, request: AttachRequest) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            with contextlib.suppress(OSError, EOFError, TimeoutError):
                seat = await self._seat_visitor(connection, reader, writer, request)
                if seat is not None:
                    await self._serve_screen(seat, reader, writer, request.values)
        finally:
            writer.transport.abort()

    async def _seat_visitor(
        self,
        connection: socket.socket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request: AttachRequest,
    ) -> ScreenSeat | None:
        """Return the seat of a visitor that is let in; tell any other one why it is not."""
        # struct ucred: pid, uid, gid; the door has looked at the user.
        size = struct.calcsize("3i")
        pid, *_ = struct.unpack(
            "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        )
        seat = ScreenSeat(request.role, f"{request.role} {one_line(request.where)[:40]}", pid)
        why = await self._reason_against(seat, reader, writer, request)
        header = self._board.header
        outcome = refused(why) if why else done(data={"mode": header.mode, "place": header.place})
        writer.write(_answer_line(outcome))
        if why:
            await writer.drain()
            writer.write_eof()
            return None
        return seat

    async def _reason_against(
        self,
        seat: ScreenSeat,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request: AttachRequest,
    ) -> str:
        if request.protocol != protocol_mark():
            return str(versions_differ(protocol_mark(), request.protocol))
        if seat.role == OPERATOR:
            why = await self._reason_against_operator(seat, reader, writer)
            if why:
                return why
        # Last: others may have come while a passphrase was typed.
        return FULL if len(self._screens) >= MOST_LOOKERS else ""

    async def _reason_against_operator(
        self, seat: ScreenSeat, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> str:
        writer.write(_answer_line(pending(0)))
        message = await asyncio.wait_for(_next_message(reader), PATIENCE_S)
        if not isinstance(message, UnlockScreen):
            return "a passphrase was due"
        # A tenth of a second of work, in which the others' pictures go on.
        why = await asyncio.to_thread(self._check.why_not, message.words)
        if why:
            self._note(seat.who, "attach_refused", f"process {seat.process}: {why}")
        return why

    async def _serve_screen(
        self,
        seat: ScreenSeat,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        values: list[str],
    ) -> None:
        screen = AttachedScreen(seat, self._port_of(seat.who), writer)
        screen.values = {name: None for name in values if _is_value(screen.port, name)}
        self._screens += (screen,)
        self._board.serve_lookers(each.focus for each in self._screens)
        self._note(seat.who, "attached", f"process {seat.process}")
        if self._frames is None:
            self._frames = self._begin_task(self._send_frames())
        try:
            while True:
                self._take_message(screen, await _next_message(reader))
        except ValueError:
            # It speaks another language: there is nothing to say to it.
            return
        finally:
            self._screens = tuple(each for each in self._screens if each is not screen)
            self._board.serve_lookers(each.focus for each in self._screens)
            self._note(seat.who, "detached", f"process {seat.process}")

    # pictures

    async def _send_frames(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        try:
            while self._screens:
                await self._send_frame()
                # A turn that took long costs its successors, not the engine.
                due = max(due + FRAME_S, clock() + FRAME_S / 2)
                await asyncio.sleep(due - clock())
        except Exception:
            # Without pictures they are better off joining anew.
            for screen in self._screens:
                screen.close()
            raise
        finally:
            self._frames = None

    async def _send_frame(self) -> None:
        """Send every screen what has changed, or the whole picture, or nothing."""
        parts: list[BoardPart] = []
        for part in self._reader.changes():
            parts.append(part)
            # The interpreter is let go between two parts: the engine has its turn.
            if len(part.at) > 1:
                await asyncio.sleep(0)
        common = framed_message(PictureParts(parts)) if parts else b""
        for screen in self._screens:
            if screen.behind and not screen.waiting:
                await self._send_picture(screen)
            elif screen.behind or screen.waiting > BACKLOG:
                screen.behind = True
                continue
            else:
                screen._writer.write(common)  # noqa: SLF001  encoded once for all of them
                if own := screen.own_parts(self._board):
                    screen.send(PictureParts(own))
            screen.tell_outcomes()
            screen.tell_values()

    async def _send_picture(self, screen: AttachedScreen) -> None:
        for part in self._reader.whole():
            screen.send(PictureParts([part]))
            await asyncio.sleep(0)
        screen.send(PictureParts(screen.own_parts(self._board)))
        screen.tell_values()
        screen.behind = False

    # what a screen asks

    def _take_message(self, screen: AttachedScreen, message: ScreenMessage) -> None:
        if isinstance(message, ScreenLook):
            screen.look(message)
        elif isinstance(message, SubmittedRequest):
            self._pass_request(screen, message)
        elif isinstance(message, MethodCall):
            self._begin_call(screen, message)

    def _pass_request(self, screen: AttachedScreen, message: SubmittedRequest) -> None:
        why = "" if screen.may_act else REFUSED
        if len(screen.open) >= MOST_OPEN:
            why = f"{MOST_OPEN} requests are without an outcome: nothing more is taken"
        if why:
            screen.send(RequestOutcomes({message.number: refused(why)}))
            return
        request = message.request
        # Whoever the screen says it is: the desk knows better.
        if "who" in request.__struct_fields__:
            request = structs.replace(request, who=screen.seat.who)
        screen.open[message.number] = screen.port.submit(request)

    def _begin_call(self, screen: AttachedScreen, call: MethodCall) -> None:
        why = "" if screen.may_act or call.method in LOOKS else REFUSED
        if screen.calls >= MOST_CALLS:
            why = "the desk is busy with what was asked before"
        if why:
            screen.send(CallAnswer(call.number, encode_raw(None), OperatorError.__name__, why))
            return
        screen.calls += 1
        self._begin_task(self._carry_out_call(screen, call))

    async def _carry_out_call(self, screen: AttachedScreen, call: MethodCall) -> None:
        try:
            method = _find_method(screen.port, call.method)
            arguments = decode_raw(call.arguments, _argument_types(method))
            # It may read from a disk that is slow.
            result = encode_raw(await asyncio.to_thread(method, *arguments))
            answer = CallAnswer(call.number, result)
        except PatangError as error:
            answer = CallAnswer(call.number, encode_raw(None), type(error).__name__, str(error))
        except (AttributeError, TypeError, ValueError) as error:
            told = f"{call.method}: {error}"
            answer = CallAnswer(call.number, encode_raw(None), OperatorError.__name__, told)
        finally:
            screen.calls -= 1
        screen.send(answer)


def _answer_line(outcome: OperatorOutcome) -> bytes:
    return json.dumps(structs.asdict(outcome)).encode() + b"\n"


async def _next_message(reader: asyncio.StreamReader) -> ScreenMessage:
    """Return the next message of a screen; raise `ValueError` for what is none."""
    size = int.from_bytes(await reader.readexactly(LENGTH))
    if size > MOST_ASKED:
        raise ValueError(f"a message of {size} bytes")
    return read_screen_message(await reader.readexactly(size))


def _is_value(port: object, name: str) -> bool:
    """Return whether a port has a plain value of that name: what cannot be sent is none."""
    if name.startswith("_") or name == "board" or callable(value := getattr(port, name, abs)):
        return False
    try:
        encode_raw(value)
    except (NotImplementedError, TypeError, ValueError):
        return False
    return True


def _find_method(port: object, name: str) -> Callable[..., object]:
    """Return a public method of a port, or of a part of it (`part.method`)."""
    found: Any = port
    for step in name.split("."):
        if step.startswith("_"):
            raise AttributeError("no such method")
        found = getattr(found, step)
    if not inspect.ismethod(found):
        raise AttributeError("no such method")
    return found


def _argument_types(method: Callable[..., object]) -> Any:
    """Return the types of a method's arguments, as those of one tuple."""
    hints = get_type_hints(method)
    names = list(inspect.signature(method).parameters)
    kinds: Any = tuple(hints[name] for name in names)
    return tuple.__class_getitem__(kinds) if names else list[None]
