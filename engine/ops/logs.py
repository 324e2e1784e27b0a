"""Structured logs of a process, and the hooks that let nothing die quietly."""

import faulthandler
import logging
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from engine.ports import Failure

_kept: list[TextIO] = []


def open_log(path: Path) -> None:
    """Send structlog's events to `path` as JSON lines, beside them the exchange's errors and the interpreter's last words."""
    structlog = _structlog()
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", encoding="utf-8", buffering=1)
    _kept.append(file)
    ours = logging.getLogger("patang")
    ours.handlers, ours.propagate = [logging.StreamHandler(file)], False
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


def _structlog() -> Any:
    """Import structlog late (it pulls Twisted) and without rich: a headless desk loads no screen."""
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
    """Write down what killed a thread."""
    _structlog().get_logger().error("thread_died", thread=name, exc_info=error)


def log_strategy(name: str, error: BaseException) -> None:
    """Write down what a strategy has failed of."""
    _structlog().get_logger().error("strategy_failed", strategy=name, exc_info=error)


def log_alarm(text: str) -> None:
    """Write down what the watchdog has found."""
    _structlog().get_logger().error("watchdog", text=text)


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
