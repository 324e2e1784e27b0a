"""Structured logs of a process, and the hooks that let nothing die quietly."""

import faulthandler
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import TextIO

from engine.ports import Failure

# structlog imports rich where it is installed, for a console it does not get here: a headless desk loads no screen
_screenless = "rich" not in sys.modules
if _screenless:
    sys.modules["rich"] = None  # type: ignore[assignment]  # the documented way to have an import fail
try:
    import structlog
finally:
    if _screenless:
        del sys.modules["rich"]

_kept: list[TextIO] = []


def open_log(path: Path) -> None:
    """Send structlog's events to `path` as JSON lines, and the interpreter's last words beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", encoding="utf-8", buffering=1)
    _kept.append(file)
    faulthandler.enable(file)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file),
        cache_logger_on_first_use=True,
    )


def log_failure(name: str, error: BaseException) -> None:
    """Write down what killed a thread."""
    structlog.get_logger().error("thread_died", thread=name, exc_info=error)


def hook(failure: Failure) -> None:
    """Have every unhandled exception of any thread logged and passed to `failure`."""

    def of_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            failure(arguments.thread.name if arguments.thread else "thread", arguments.exc_value)

    def of_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            failure("main", error)
        sys.__excepthook__(kind, error, trace)

    threading.excepthook = of_thread
    sys.excepthook = of_main
