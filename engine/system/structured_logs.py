"""Structured logs of a process, and the hooks that let nothing die quietly."""

import contextlib
import faulthandler
import io
import logging
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, final

WAITING: Final = 1_000
"""How many lines may wait for the disk; further ones are lost."""
DISK_S: Final = 1.0
"""How long the end of a run waits for its last lines."""


@final
class DeskLogFile(io.TextIOBase):
    """A log file whose writers never wait for the disk, and never fail for it.

    Lines it does not take are lost.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.file = path.open("ab", buffering=0)
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
            self.file.write(line.encode(errors="backslashreplace"))


def open_log(path: Path) -> DeskLogFile:
    """Send structlog's events to `path` as JSON lines.

    Beside them come the exchange's errors and the interpreter's last words. Raises `OSError`.
    """
    structlog = _import_structlog()
    path.parent.mkdir(parents=True, exist_ok=True)
    log = DeskLogFile(path)
    ours = logging.getLogger("patang")
    ours.handlers, ours.propagate = [logging.StreamHandler(log)], False
    # The interpreter's last words go past the thread: it may be the one that has crashed.
    faulthandler.enable(log.file)
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
