"""The newest packet of each token, for a desk that has fallen behind.

Older ones are counted, not queued: a packet carries the last price, the day's range and the volume
of the whole day, so the newest one stands for those before it; the path in between is lost.
"""

from typing import Final, final

from compiled.adapters.kite_frames import FrameDecoder

PER_FRAME: Final = 1_000
"""Packets in one released frame: some milliseconds of the kernel's time."""
MOST_TOKENS: Final = 20_000
"""More than three connections can serve; a server that invents tokens fills no memory."""
ODD_KEPT: Final = 16


@final
class PacketConflation:
    """Holder of at most one packet per token.

    `conflated` counts those that a newer one replaced, `lost` those without room.
    """

    def __init__(self) -> None:
        self.conflated = 0
        self.lost = 0
        self._latest: dict[bytes, bytes] = {}
        self._odd: list[bytes] = []
        self._decoder = FrameDecoder()

    def __len__(self) -> int:
        """Return how many packets are held."""
        return len(self._latest)

    def add(self, frame: bytes) -> None:
        """Take a frame; one that cannot be read is kept whole, for the desk's decoder to judge."""
        found = self._decoder.split(frame)
        if not self._decoder.whole:
            self._keep_unreadable(frame)
            return
        latest = self._latest
        for at in found:
            token, packet = (
                frame[at : at + 4],
                frame[at - 2 : at + int.from_bytes(frame[at - 2 : at], "big")],
            )
            # taken out and put in again: packets are released in the order of the newest ones
            if latest.pop(token, None) is not None:
                self.conflated += 1
            elif len(latest) >= MOST_TOKENS:
                self.lost += 1
                continue
            latest[token] = packet

    def _keep_unreadable(self, frame: bytes) -> None:
        if len(self._odd) < ODD_KEPT:
            self._odd.append(frame)
        else:
            self.lost += 1

    def release(self) -> list[bytes]:
        """Return the held packets as frames, in the order of their arrival, and hold none."""
        packets, odd = list(self._latest.values()), self._odd
        self._latest, self._odd = {}, []
        parts = [packets[first : first + PER_FRAME] for first in range(0, len(packets), PER_FRAME)]
        return odd + [len(part).to_bytes(2, "big") + b"".join(part) for part in parts]
