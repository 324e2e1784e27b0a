"""Values by number, packed.

A dict boxes and hashes each number it is asked for, and an order asks for dozens.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar, final

from librt.vecs import append, vec
from mypy_extensions import i64

T = TypeVar("T")


@final
class IntMap(Generic[T]):
    """A dict of ints, as far as the core uses one.

    Values stand in the order in which they were first put in. Numbers are i64, values never None.
    """

    def __init__(self) -> None:
        self._numbers = vec[i64]()
        self._values: list[T | None] = []
        self._places = vec[i64]([-1] * 64)  # by hash: the index of number and value, -1 where free
        self._mask: i64 = 63
        self._gone: i64 = 0
        self._last: i64 = -1  # the index last asked for: who asks for a number asks again

    def __len__(self) -> int:
        return len(self._values) - int(self._gone)

    def __bool__(self) -> bool:
        return len(self._values) > self._gone

    def __contains__(self, number: i64) -> bool:
        return self.get(number) is not None

    def __iter__(self) -> Iterator[int]:
        return iter(self.keys())

    def get(self, number: i64) -> T | None:
        """Return the value of a number, None where there is none."""
        # Callers ask for one order or instrument several times in a row; the last answer spares the
        # hash.
        index = self._last
        if index < 0 or self._numbers[index] != number:
            index = self._places[self._probe_place(number)]
            if index < 0:
                return None
            self._last = index
        return self._values[index]

    def __getitem__(self, number: i64) -> T:
        """Return the value of a number; raise `KeyError` where there is none."""
        value = self.get(number)
        if value is None:
            raise KeyError(int(number))
        return value

    def __setitem__(self, number: i64, value: T) -> None:
        place = self._probe_place(number)
        index = self._places[place]
        if index >= 0 and self._values[index] is not None:
            self._values[index] = value
            return
        # an index of what was taken out is left behind, and goes with the next growth
        self._last = len(self._values)
        self._places[place] = len(self._values)
        self._numbers = append(self._numbers, number)
        self._values.append(value)
        if 2 * len(self._values) > self._mask:
            self._grow_places()

    def __delitem__(self, number: i64) -> None:
        """Take a number out; raise `KeyError` where it is not in."""
        if self.get(number) is None:
            raise KeyError(int(number))
        self._values[self._places[self._probe_place(number)]] = None
        # Places of removed numbers stay taken, or a probe for a number behind them would stop
        # short.
        self._gone += 1
        # A map that empties each moment is made new, not grown by its own past.
        if self._gone == len(self._values) and self._gone > 15:
            self.clear()

    def keys(self) -> list[int]:
        """Return the numbers."""
        return [
            int(self._numbers[i])
            for i in range(i64(len(self._values)))
            if self._values[i] is not None
        ]

    def values(self) -> list[T]:
        """Return the values."""
        if self._gone == len(self._values):
            return []
        return [value for value in self._values if value is not None]

    def items(self) -> list[tuple[int, T]]:
        """Return numbers with their values."""
        return list(zip(self.keys(), self.values(), strict=True))

    def setdefault(self, number: i64, value: T) -> T:
        """Return the value of a number; put this one in where there is none."""
        known = self.get(number)
        if known is None:
            self[number] = value
            return value
        return known

    def clear(self) -> None:
        """Take everything out."""
        if self._values:
            self._values = []
            self._numbers = vec[i64]()
            self._gone = 0
            self._last = -1
            for place in range(self._mask + 1):
                self._places[place] = -1

    def _probe_place(self, number: i64) -> i64:
        """Return where a number stands, or where it would."""
        places = self._places
        numbers = self._numbers
        mask = self._mask
        # the low byte of a token is its segment, the same for thousands of them
        place = (number ^ (number >> 8)) & mask
        while places[place] >= 0 and numbers[places[place]] != number:
            place = (place + 1) & mask
        return place

    def _grow_places(self) -> None:
        """Make room for as many again, and drop the removed entries."""
        live = [i for i in range(len(self._values)) if self._values[i] is not None]
        mask: i64 = 63
        while mask < 4 * len(live):
            mask = 2 * mask + 1
        numbers = self._numbers
        self._numbers = vec[i64]([numbers[i] for i in live])
        self._values = [self._values[i] for i in live]
        self._gone = 0
        self._last = -1
        self._mask = mask
        self._places = vec[i64]([-1] * int(mask + 1))
        for index in range(i64(len(live))):
            self._places[self._probe_place(self._numbers[index])] = index
