"""Everything listed, by key and by token.

An instrument of a dump is made when it is first asked for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import final

from brokers.sandbox.market.exchange_listing import ExchangeListing, ListedIndex

One = ExchangeListing | ListedIndex


@final
class InstrumentCatalogue:
    """The instruments of a day.

    `asleep` names those that have not been made yet, by token, and `wake` makes one.
    """

    def __init__(
        self, made: Iterable[One], asleep: Mapping[int, str], wake: Callable[[str], One]
    ) -> None:
        self.awake_by_token: dict[int, One] = {}
        """What moves, in the order it was made in."""
        self._keys: dict[str, One] = {}
        self._asleep = asleep
        self._wake = wake
        self._sleepers = {key: token for token, key in asleep.items()}
        self.by_key = CatalogueByKey(self)
        self.by_token = CatalogueByToken(self)
        for one in made:
            self.add(one)

    def add(self, one: One) -> None:
        """List an instrument that has been made."""
        self.awake_by_token[int(one.instrument.token)] = one
        self._keys[one.key] = one

    def find(self, key: str) -> One | None:
        """Return what "EXCHANGE:SYMBOL" names, making it where it must be."""
        found = self._keys.get(key)
        return self._wake(key) if found is None and key in self._sleepers else found

    def find_token(self, token: int) -> One | None:
        """Return what a token names, making it where it must be."""
        found = self.awake_by_token.get(token)
        return self._wake(self._asleep[token]) if found is None and token in self._asleep else found

    def __contains__(self, token: int) -> bool:
        """Return whether a token is listed; wakes nothing."""
        return token in self.awake_by_token or token in self._asleep


@final
class CatalogueByKey(Mapping[str, One]):
    """A catalogue by "EXCHANGE:SYMBOL"; iterating yields those awake."""

    def __init__(self, catalogue: InstrumentCatalogue) -> None:
        self._catalogue = catalogue

    def __getitem__(self, key: str) -> One:
        """Return an instrument; raise `KeyError`."""
        found = self._catalogue.find(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        """Return the keys of those awake."""
        return (one.key for one in self._catalogue.awake_by_token.values())

    def __len__(self) -> int:
        """Return how many are awake."""
        return len(self._catalogue.awake_by_token)


@final
class CatalogueByToken(Mapping[int, One]):
    """A catalogue by token; iterating yields those awake."""

    def __init__(self, catalogue: InstrumentCatalogue) -> None:
        self._catalogue = catalogue

    def __getitem__(self, token: int) -> One:
        """Return an instrument; raise `KeyError`."""
        found = self._catalogue.find_token(token)
        if found is None:
            raise KeyError(token)
        return found

    def __contains__(self, token: object) -> bool:
        """Return whether a token is listed; wakes nothing."""
        return isinstance(token, int) and token in self._catalogue

    def __iter__(self) -> Iterator[int]:
        """Return the tokens of those awake."""
        return iter(self._catalogue.awake_by_token)

    def __len__(self) -> int:
        """Return how many are awake."""
        return len(self._catalogue.awake_by_token)
