"""The desk's door for other terminals: a Unix socket, and the kill file, watched by one thread.

One request per line in, one outcome out, each a JSON object. Whoever comes is served by a thread of
his own, so that nobody who is slow or silent keeps others, or the kill file, waiting. The threads
touch nothing but the desk's face and the kill switch: they work while the screen, the event loop or
the database is stuck.
"""

import contextlib
import errno
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from msgspec import convert, structs

from engine.errors import BusyError, ConnectionFailed, OperatorError, in_words
from engine.market.instrument_search import FoundInstruments
from engine.operator_requests import (
    AlertsRequest,
    AttachRequest,
    DeskRequest,
    DifferencesRequest,
    EngineRequest,
    KillRequest,
    LimitsRequest,
    OperatorOutcome,
    OutcomeRequest,
    ResumeRequest,
    SearchRequest,
    StatusRequest,
    StrategiesRequest,
    WatchedRequest,
    done,
    pending,
    read_request,
    refused,
    write_request,
)
from engine.ops.descriptor_reserve import DescriptorReserve
from engine.ops.health_sources import HealthSources
from engine.orders.killswitch import FLATTEN, HALT, KillLatch, KillSwitch
from engine.system.private_files import TRUSTED

# Not to the last byte: other systems end sooner, and the bound is checked before the kernel does.
LONGEST = 100
"""Unix socket paths end at 107 bytes on Linux, sooner elsewhere."""
PATIENCE_S = 5.0
# Also how soon a kill file is seen: the same thread looks for it between two visitors.
WATCH_S = 0.2
VISITORS = 16
"""How many are served at the same time; each has `PATIENCE_S` to say what he wants."""
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED})
"""What `accept` may fail of that passes."""
# The longest request is a few hundred bytes; a visitor who sends more is cut off, not read into
# memory.
LINE = 65_536
ANSWER = 16 * 2**20
"""Bytes of the longest answer: all that a feed serves, a row each, is some hundred kilobytes."""


class ControlledDesk(Protocol):
    """The door's needs of a desk."""

    def describe(self) -> dict[str, object]:
        """Return the state."""
        ...

    def limits(self) -> dict[str, object]:
        """Return every limit."""
        ...

    def differences(self) -> dict[str, object]:
        """Return the differences between the broker's books and ours."""
        ...

    def list_strategies(self) -> dict[str, object]:
        """Return every strategy of the day."""
        ...

    def watched(self) -> dict[str, object]:
        """Return the instruments under watch."""
        ...

    def price_alerts(self) -> dict[str, object]:
        """Return the price alerts."""
        ...

    def search(self, text: str, most: int) -> FoundInstruments:
        """Look for instruments over all that the desk can trade."""
        ...

    def resume(self, reason: str, who: str) -> KillLatch | None:
        """Unlatch the kill switch."""
        ...

    def alarm(self, text: str) -> None:
        """Have a line shown and written down as an alarm."""
        ...

    def submit(self, request: EngineRequest) -> int:
        """Queue a request for the engine; return the number under which it answers."""
        ...

    def outcome(self, number: int) -> OperatorOutcome | None:
        """Return the outcome of a request, None while it is pending."""
        ...


def socket_path(state: Path) -> Path:
    """Return where the desk of a state folder listens.

    It is always in that folder, which is closed to other users.
    """
    return state / "desk.sock"


@contextlib.contextmanager
def _short_address(path: Path) -> Iterator[str]:
    """Yield a name of a socket that is short enough for the kernel.

    A long one goes by its folder, held open meanwhile.
    """
    # The kernel counts bytes, and a folder's name may have letters of several.
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    # /proc/self/fd makes the path short and keeps naming the same folder even if it is renamed.
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _stranger_uid(connection: socket.socket) -> int | None:
    """Return the user at the other end if it is neither ours nor the administrator.

    The kernel vouches for it.
    """
    # struct ucred: pid, uid, gid. File modes alone would not do: the other end may be a socket
    # put there by somebody else.
    _, user, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    return None if user in {os.geteuid(), TRUSTED} else int(user)


class ControlSocket:
    """Listens until closed; `failure` is called if the thread dies.

    `attach` takes a screen over that wants to stay, with a socket of its own.
    """

    def __init__(
        self,
        path: Path,
        desk: ControlledDesk,
        kill: KillSwitch,
        failure: Callable[[str, BaseException], None],
        attach: Callable[[socket.socket, AttachRequest], None] | None = None,
        health: HealthSources | None = None,
    ) -> None:
        self._health = health
        self._path = path
        self._attach = attach
        self._desk = desk
        self._kill = kill
        self._failure = failure
        self._closing = threading.Event()
        self._visitors = threading.BoundedSemaphore(VISITORS)
        self._reserve = DescriptorReserve()
        self._told: set[type[Exception]] = set()
        self._socket = self._open_listener()
        self._thread = threading.Thread(
            target=self._serve_until_closed, name="control", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._closing.set()
        # Ten of its turns; a visitor that hangs must not hold up the end of the desk.
        self._thread.join(2.0)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _open_listener(self) -> socket.socket:
        if _is_in_use(self._path):
            raise BusyError(f"another desk listens at {self._path}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)
            with _short_address(self._path) as address:
                listener.bind(address)
            self._path.chmod(0o600)
        except IsADirectoryError:
            listener.close()
            raise OperatorError(
                f"cannot listen at {self._path}: it is a folder; remove it"
            ) from None
        except OSError as error:
            listener.close()
            raise OperatorError(f"cannot listen at {self._path}: {in_words(error)}") from None
        # Visitors beyond the eight wait in their own `connect`, within their patience.
        listener.listen(8)
        listener.settimeout(WATCH_S)
        return listener

    def _serve_until_closed(self) -> None:
        """Serve until closed; an error of one turn is logged once and does not end the next."""
        while not self._closing.is_set():
            try:
                self._serve_turn()
            except Exception as error:  # noqa: BLE001  a thread's main: nothing dies quietly
                self._report_failure(error)
                self._closing.wait(WATCH_S)
        self._reserve.release()

    def _serve_turn(self) -> None:
        if self._health is not None:
            self._health.beats["control"] = time.monotonic_ns()
        if short := self._reserve.check_shortage():
            self._desk.alarm(short)
        # Before the visitors: the kill file works even where every turn is taken by one.
        self._kill.check_file()
        try:
            connection, _ = self._socket.accept()
        except TimeoutError:
            return
        except OSError as error:
            if error.errno not in SHORTAGES:
                raise
            self._reserve.release()  # the next turn tells of it
            self._closing.wait(WATCH_S)
            return
        # Never waits: sixteen visitors who say nothing must not keep the kill file from being
        # looked at.
        if self._visitors.acquire(blocking=False):
            try:
                threading.Thread(
                    target=self._serve_visitor, args=(connection,), name="visitor", daemon=True
                ).start()
            except RuntimeError:  # no thread can be started now
                self._visitors.release()
                connection.close()
        else:
            connection.close()

    def _report_failure(self, error: Exception) -> None:
        # Five turns a second would log the same error five times a second.
        if type(error) not in self._told:
            self._told.add(type(error))
            self._failure("control", error)

    def _serve_visitor(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                if _stranger_uid(connection) is not None:
                    return
                line = _read_line(connection)
                connection.settimeout(PATIENCE_S)
                outcome = self._answer_line(line, connection)
                if outcome is not None:
                    text = json.dumps(structs.asdict(outcome))
                    connection.sendall(text.encode() + b"\n")
        except Exception as error:  # noqa: BLE001  a thread's main: nothing dies quietly
            self._failure("control", error)
        finally:
            self._visitors.release()

    def _answer_line(self, line: bytes, connection: socket.socket) -> OperatorOutcome | None:
        """Return the answer to a line, None where somebody else gives it."""
        try:
            request = read_request(line)
        except ValueError as error:
            return refused(str(error))
        match request:
            case AttachRequest():
                if self._attach is None:
                    return refused("no screen can be attached to this desk")
                # A second handle: this visit ends, the screen's goes on.
                self._attach(connection.dup(), request)
                return None
            case StatusRequest():
                return done(data=self._desk.describe())
            case LimitsRequest():
                return done(data=self._desk.limits())
            case DifferencesRequest():
                return done(data=self._desk.differences())
            case StrategiesRequest():
                return done(data=self._desk.list_strategies())
            case WatchedRequest():
                return done(data=self._desk.watched())
            case AlertsRequest():
                return done(data=self._desk.price_alerts())
            case SearchRequest():
                return self._search_instruments(request)
            case KillRequest():
                level = FLATTEN if request.flatten else HALT
                # Straight to the latch, not by the engine's queue: a kill works while the engine
                # stands still.
                self._kill.trigger(level, request.reason or "patang kill", request.who)
                return done(data=self._desk.describe() | {"unkept": self._kill.unkept})
            case ResumeRequest():
                return self._resume_desk(request)
            case OutcomeRequest():
                return self._desk.outcome(request.number) or pending(request.number)
            case _:
                return pending(self._desk.submit(request))

    def _search_instruments(self, request: SearchRequest) -> OperatorOutcome:
        try:
            found = self._desk.search(request.text, request.most)
        except BusyError as error:
            return refused(str(error))
        rows = [row._asdict() for row in found.rows]
        return done(data={"count": found.matches, "rows": rows})

    def _resume_desk(self, request: ResumeRequest) -> OperatorOutcome:
        if not request.reason:
            return refused("a reason is needed")
        # Looked at before the release, which removes it: the operator is told which it was.
        there = self._kill.path.exists()
        try:
            old = self._desk.resume(request.reason, request.who)
        except OperatorError as error:
            return refused(str(error))
        if old is None:
            return done(data={"resumed": False, "was": ""})
        file = "removed" if there else "was gone"
        return done(data={"resumed": True, "was": old.reason, "file": file})


def _read_line(connection: socket.socket) -> bytes:
    """Return a visitor's line.

    Raise `TimeoutError` where it is not complete within `PATIENCE_S`, however slow.
    """
    said, ends = b"", time.monotonic() + PATIENCE_S
    # The clock runs from the first byte on, or one byte every four seconds would hold a place for
    # ever.
    while b"\n" not in said and len(said) < LINE:
        connection.settimeout(max(ends - time.monotonic(), 0.001))
        part = connection.recv(LINE)
        if not part or time.monotonic() >= ends:
            break
        said += part
    return said[:LINE]


def _is_in_use(path: Path) -> bool:
    """Return whether the socket is listened to, however busy its desk.

    A socket that a dead desk has left refuses at once.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        try:
            with _short_address(path) as address:
                connection.connect(address)
        # A socket file outlives its process; only a refused connection says that nobody listens.
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError as error:
            raise BusyError(f"cannot listen at {path}: {error.strerror or error}") from None
    return True


def send_request(path: Path, request: DeskRequest, patience: float = PATIENCE_S) -> OperatorOutcome:
    """Ask the desk that listens at `path`.

    Raise `ConnectionFailed` where none of this user does, or none answers.
    """
    connection = open_visit(path, request, patience)
    with connection, connection.makefile("rb") as answers:
        return read_answer(path, answers)


def open_visit(path: Path, request: DeskRequest, patience: float = PATIENCE_S) -> socket.socket:
    """Put a request to the desk that listens at `path`; return the socket, for its answer.

    Raise `ConnectionFailed` where none of this user listens.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(patience)
        with _short_address(path) as address:
            connection.connect(address)
        stranger = _stranger_uid(connection)
        # Another user's socket in our place could swallow a kill and answer "done".
        if stranger is None:
            connection.sendall(write_request(request).encode() + b"\n")
            return connection
    except OSError as error:
        connection.close()
        raise ConnectionFailed(f"no desk listens at {path} ({error.strerror or error})") from None
    connection.close()
    raise ConnectionFailed(f"another user ({stranger}) listens at {path}: nothing was sent to him")


def read_answer(path: Path, answers: BinaryIO) -> OperatorOutcome:
    """Return the next answer of the desk at `path`; raise `ConnectionFailed` without one."""
    try:
        return convert(json.loads(answers.readline(ANSWER)), OperatorOutcome)
    except OSError as error:
        raise ConnectionFailed(f"no desk listens at {path} ({error.strerror or error})") from None
    except (ValueError, RecursionError):
        raise ConnectionFailed(f"the desk at {path} did not answer") from None
