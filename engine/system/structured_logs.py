"""Structured logs of a process, and the hooks that let nothing die quietly."""

import contextlib
import faulthandler
import io
import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, final

LARGE: Final = 20_000_000
"""Bytes of a log from which on a run begins another; the one before is kept beside it."""
TAIL: Final = 1_000_000
"""Bytes at the end of a log that are read at most."""
LEVELS: Final = {"debug": "info", "info": "info", "warning": "warn", "warn": "warn"}
"""Levels of a log as those of the event log; all others are alarms."""
WAITING: Final = 1_000
"""How many lines may wait for the disk; further ones are lost."""
DISK_S: Final = 1.0
"""How long the end of a run waits for its last lines."""


@final
class DeskLogFile(io.TextIOBase):
    """A log file whose writers never wait for the disk, and never fail for it.

    Lines it does not take are lost. One that is removed or moved away begins anew.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.file = path.open("ab", buffering=0)
        self.has_last_words = False
        """Whether the interpreter's last words go to it."""
        self._lines: queue.Queue[str | threading.Event] = queue.Queue(WAITING)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write_lines, name="log", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Have a text written soon; at once after the end."""
        # After the end there is no thread that takes from the queue.
        if self._over.is_set():
            self._write_line(text)
        else:
            with contextlib.suppress(queue.Full):
                self._lines.put_nowait(text)
        return len(text)

    def wait_until_written(self) -> None:
        """Wait a moment for everything so far to be in the file."""
        done = threading.Event()
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(done)
            done.wait(DISK_S)

    def end(self) -> None:
        """Let the thread end with the waiting lines, and wait a moment for that.

        It would otherwise keep its maker alive for ever.
        """
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(self._over)
            self._over.wait(DISK_S)

    def _write_lines(self) -> None:
        while not self._over.is_set():
            line = self._lines.get()
            if isinstance(line, threading.Event):
                line.set()
            else:
                self._write_line(line)

    def _write_line(self, line: str) -> None:
        with contextlib.suppress(OSError):
            if not self._path.exists():
                self._begin_anew()
            self.file.write(line.encode(errors="backslashreplace"))

    def _begin_anew(self) -> None:
        gone, self.file = self.file, self._path.open("ab", buffering=0)
        # Before the old one is closed, whose number another file may get.
        if self.has_last_words:
            faulthandler.enable(self.file)
        gone.close()


def open_log(path: Path) -> DeskLogFile:
    """Send structlog's events to `path` as JSON lines.

    Beside them come the exchange's errors and the interpreter's last words. Raises `OSError`.
    """
    structlog = _import_structlog()
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LARGE:
            path.replace(path.with_name(path.name + ".1"))
    log = DeskLogFile(path)
    ours = logging.getLogger("patang")
    ours.handlers, ours.propagate = [logging.StreamHandler(log)], False
    # The interpreter's last words go past the thread: it may be the one that has crashed.
    faulthandler.enable(log.file)
    log.has_last_words = True
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(log),
        cache_logger_on_first_use=True,
    )
    return log


def _import_structlog() -> Any:
    """Import structlog late (it pulls Twisted) and without rich.

    A headless desk loads no screen.
    """
    alone = "rich" not in sys.modules
    if alone:
        sys.modules["rich"] = None  # type: ignore[assignment]  # the documented way to have an import fail
    try:
        import structlog  # noqa: PLC0415  see above
    finally:
        if alone:
            del sys.modules["rich"]
    return structlog


class LogLine(NamedTuple):
    """One line of a log: `number` is the byte it begins at, `ts` ns UTC by the machine's clock."""

    number: int
    ts: int
    level: str
    """info, warn or alarm."""
    text: str
    whole: str
    """Every field, a line each."""


def read_log(path: Path, after: int = 0) -> list[LogLine]:
    """Return the whole lines of a log that begin at byte `after` or later, at most its last MB.

    A file that has become shorter is read from its beginning. Raises `OSError`.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(after if after <= size else 0, size - TAIL)
        # One byte earlier: whether a line begins at `start` is seen by the end of the one before.
        file.seek(max(start - 1, 0))
        content = file.read(TAIL + 1)
    if start:
        cut = content.find(b"\n") + 1
        start, content = start - 1 + cut, content[cut:] if cut else b""
    # The end of the last line may not be there yet.
    whole = content[: content.rfind(b"\n") + 1]
    found: list[LogLine] = []
    for line in whole.splitlines(keepends=True):
        text = line.decode(errors="backslashreplace").rstrip()
        if text:
            found.append(_log_line(start, text, found[-1].ts if found else 0))
        start += len(line)
    return found


def _log_line(number: int, text: str, before: int) -> LogLine:
    """Return a line of the log; one that is no event (a crash, a library) has the time before."""
    try:
        fields = json.loads(text)
        event = str(fields.pop("event"))
        moment = datetime.fromisoformat(str(fields.pop("timestamp")))
        level = LEVELS.get(str(fields.pop("level", "")), "alarm")
        level = str(fields.pop("kind", level))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return LogLine(number, before, "warn", text, text)
    ts = int(moment.timestamp() * 1_000) * 1_000_000
    told = str(fields.get("text", "")) or _brief_text(fields)
    whole = "\n".join([f"{event}, {moment:%Y-%m-%d %H:%M:%S} UTC", *_field_lines(fields)])
    return LogLine(number, ts, level, f"{event}: {told}" if told else event, whole)


def _brief_text(fields: dict[str, Any]) -> str:
    # Of a traceback the last line says what it was.
    lines = [str(value).strip().splitlines()[-1:] for value in fields.values()]
    return ", ".join(line[0] for line in lines if line)


def _field_lines(fields: dict[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        text = str(value)
        yield f"{name}:\n{text}" if "\n" in text else f"{name}: {text}"


def log_event(level: str, name: str, text: str) -> None:
    """Write down a line of the desk's event log."""
    log = _import_structlog().get_logger()
    # The levels of a log are not the desk's: a fill is information there.
    {"warn": log.warning, "alarm": log.error}.get(level, log.info)(name, text=text, kind=level)


def log_failure(name: str, error: BaseException) -> None:
    """Write down the error that ended a thread."""
    _import_structlog().get_logger().error("thread_died", thread=name, exc_info=error)


def log_strategy(name: str, error: BaseException) -> None:
    """Write down a strategy's error."""
    _import_structlog().get_logger().error("strategy_failed", strategy=name, exc_info=error)


def log_alarm(text: str) -> None:
    """Write down a finding of the watchdog."""
    _import_structlog().get_logger().error("watchdog", text=text)


def hook_exceptions(failure: Callable[[str, BaseException], None]) -> None:
    """Have unhandled exceptions of any thread logged and passed to `failure`.

    It lasts until `unhook_exceptions`.
    """

    def of_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            failure(arguments.thread.name if arguments.thread else "thread", arguments.exc_value)

    def of_main(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            failure("main", error)
        sys.__excepthook__(kind, error, trace)

    threading.excepthook = of_thread
    sys.excepthook = of_main


def unhook_exceptions() -> None:
    """Leave unhandled exceptions to the interpreter again.

    Threads keep the hook they were made under, and its target.
    """
    threading.excepthook, sys.excepthook = threading.__excepthook__, sys.__excepthook__
