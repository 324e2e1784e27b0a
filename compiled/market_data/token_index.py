"""Dense numbers for instrument tokens."""

from typing import final

from librt.vecs import append, vec
from mypy_extensions import i64


@final
class TokenIndex:
    """Numbers tokens densely from 0, in the order they are first seen."""

    def __init__(self) -> None:
        self.count: i64 = 0
        self._tokens = vec[i64]()
        self._table = vec[i64]([-1 for _ in range(64)])
        self._mask: i64 = 63

    def token(self, slot: i64) -> i64:
        """Return the token of a slot; raise IndexError where there is none."""
        return self._tokens[slot]

    def find(self, token: i64) -> i64:
        """Return the slot of `token`, -1 where it was never seen."""
        return self._table[self._probe_place(token)]

    def add(self, token: i64) -> i64:
        """Return the slot of `token`, a new one where it was never seen."""
        place = self._probe_place(token)
        slot = self._table[place]
        if slot >= 0:
            return slot
        slot = self.count
        self.count += 1
        self._tokens = append(self._tokens, token)
        self._table[place] = slot
        # At most half full: probes stay short, and an unknown token finds an empty place soon.
        if 2 * slot > self._mask:
            self._grow_table()
        return slot

    def _probe_place(self, token: i64) -> i64:
        table = self._table
        tokens = self._tokens
        mask = self._mask
        # The low byte is the segment, the same for thousands of tokens; the exchange's own numbers
        # above it are dense.
        place = (token ^ (token >> 8)) & mask
        slot = table[place]
        while slot >= 0 and tokens[slot] != token:
            place = (place + 1) & mask
            slot = table[place]
        return place

    def _grow_table(self) -> None:
        self._mask = self._mask * 2 + 1
        self._table = vec[i64]([-1 for _ in range(self._mask + 1)])
        for slot in range(self.count):
            self._table[self._probe_place(self._tokens[slot])] = slot
