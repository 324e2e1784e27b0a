"""File descriptors kept back for journal, kill file and broker in a shortage."""

import os
from typing import Final

# Enough for the journal, its log, the kill file and a few connections to the broker at once.
KEPT: Final = 16
SHORT: Final = (
    "no file can be opened any more: the last descriptors are kept for journal, kill switch and "
    "broker; see what holds so "
    "many (ulimit -n), and start the desk anew"
)


class DescriptorReserve:
    """Holds `KEPT` descriptors while there are enough, and lets them go while there are not.

    It belongs to one thread.
    """

    def __init__(self) -> None:
        self._held: list[int] = []
        self._short = False
        self._take_descriptors()

    def check_shortage(self) -> str:
        """Give way to a shortage, or be whole again after it.

        Return the text to log, once for each.
        """
        # With the reserve in hand one more open is the only question; without it the reserve itself
        # is.
        enough = self._has_spare() if self._held else self._take_descriptors()
        if not enough:
            self.release()
        text = SHORT if not enough and not self._short else ""
        self._short = not enough
        return text

    def release(self) -> None:
        """Let all of them go."""
        while self._held:
            os.close(self._held.pop())

    def _has_spare(self) -> bool:
        try:
            os.close(_open_null())
        except OSError:
            return False
        return True

    def _take_descriptors(self) -> bool:
        """Take all of them, or none; after a shortage only where as many are left for others."""
        try:
            # After a shortage twice as many have to be free, or the reserve would bring the next
            # one on at once.
            while len(self._held) < KEPT * (1 + self._short):
                self._held.append(_open_null())
        except OSError:
            self.release()
        while len(self._held) > KEPT:
            os.close(self._held.pop())
        return bool(self._held)


def _open_null() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
