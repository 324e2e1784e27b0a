"""The entry of the console: `patang`, and `python -m tui`."""

import os
import signal
from types import FrameType

from engine.exit_codes import INTERRUPTED


def main() -> None:
    """Run one command and exit with its code, at a ctrl-c with 130 from the first moment on."""
    # the imports take a third of a second: an exception in the middle of them would be a traceback,
    # and some libraries take one for a missing part; nothing is open yet, so the process just ends
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave_early)
    from tui.commands.cli import main as run  # noqa: PLC0415  the imports in question

    try:
        # whoever has ignored it before (nohup, a shell's background) keeps it ignored
        if signal.getsignal(signal.SIGINT) is _leave_early:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:
        _leave_early()


def _leave_early(number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
    del number, frame
    try:
        os.write(2, b"patang: interrupted\n")
    finally:
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
