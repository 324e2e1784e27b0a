"""One day's instrument dumps, looked up by symbol, token, underlying, expiry and strike.

A symbol of one exchange names one instrument of a day; a token is given to another contract after
expiry. So (exchange, tradingsymbol) is what is remembered across days, and a token is only ever
asked of its own day's dump.
"""

import csv
import difflib
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple, Self, final

import msgspec

from compiled.model import number_bounds
from compiled.model.values import Instrument
from engine.errors import DataError
from engine.texts import checked_symbol as symbol_of

COLUMNS = (
    "instrument_token",
    "tradingsymbol",
    "name",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
EXCHANGE = re.compile(r"[A-Z]{2,12}")
DERIVATIVES = frozenset({"FUT", "CE", "PE"})

INDICES = {
    "NIFTY": ("NSE", "NIFTY 50"),
    "BANKNIFTY": ("NSE", "NIFTY BANK"),
    "FINNIFTY": ("NSE", "NIFTY FIN SERVICE"),
    "MIDCPNIFTY": ("NSE", "NIFTY MID SELECT"),
    "NIFTYNXT50": ("NSE", "NIFTY NEXT 50"),
    "SENSEX": ("BSE", "SENSEX"),
    "BANKEX": ("BSE", "BANKEX"),
}
"""Where an index stands whose derivatives go by another name."""


@final
class InstrumentListing(msgspec.Struct, frozen=True):
    """One row of a dump.

    `kind` is EQ, FUT, CE, PE or INDEX, `name` the underlying of a derivative, `strike` rupees.
    """

    token: int
    exchange: str
    symbol: str
    name: str
    kind: str
    tick: float
    lot: int
    expiry: date | None = None
    strike: float = 0.0

    def instrument(self) -> Instrument:
        """Return its instrument of the core."""
        made = Instrument(
            self.token,
            self.exchange,
            symbol=self.symbol,
            tick=self.tick,
            lot=self.lot,
            kind=self.kind,
            name=self.name,
        )
        made.expiry = day_as_number(self.expiry)
        return made


def day_as_number(day: date | None) -> int:
    """Return a day as YYYYMMDD, 0 for none: as the core keeps an expiry."""
    return 0 if day is None else day.year * 10_000 + day.month * 100 + day.day


class ChainStrike(NamedTuple):
    """One line of an option chain."""

    price: float
    call: InstrumentListing | None
    put: InstrumentListing | None


class ListingChange(NamedTuple):
    """The change of one symbol between two days: `what` is listed, gone, token, tick or lot."""

    what: str
    exchange: str
    symbol: str
    before: float
    after: float


class InstrumentList:
    """The instruments of one day.

    `restrictions` are the day's lists (F&O ban, surveillance) by underlying.
    """

    def __init__(
        self,
        day: date,
        listings: Iterable[InstrumentListing],
        restrictions: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.day = day
        self.restrictions = dict(restrictions or {})
        self._by_symbol: dict[tuple[str, str], InstrumentListing] = {}
        self._by_token: dict[int, InstrumentListing] = {}
        self._derivatives: defaultdict[str, list[InstrumentListing]] = defaultdict(list)
        for each in listings:
            self._add_listing(each)
        for rows in self._derivatives.values():
            # Once, here: chains and expiries are read from it in this order.
            rows.sort(key=lambda row: (row.expiry or date.max, row.strike, row.kind, row.exchange))

    @classmethod
    def union(cls, parts: Iterable["InstrumentList"]) -> Self:
        """Return the instruments of several exchanges as one.

        Raise `DataError` where the days differ.
        """
        found = list(parts)
        days = sorted({part.day for part in found})
        if len(days) != 1:
            raise DataError(
                f"instruments of {len(days)} days cannot be one list: {', '.join(map(str, days))}"
            )
        merged: dict[str, tuple[str, ...]] = {}
        for part in found:
            for name, why in part.restrictions.items():
                merged[name] = (
                    *merged.get(name, ()),
                    *(each for each in why if each not in merged.get(name, ())),
                )
        return cls(days[0], (each for part in found for each in part), merged)

    def __iter__(self) -> Iterator[InstrumentListing]:
        return iter(self._by_symbol.values())

    def __len__(self) -> int:
        return len(self._by_symbol)

    def find(self, exchange: str, symbol: str) -> InstrumentListing | None:
        """Return an instrument by its symbol, None where the exchange lists none."""
        return self._by_symbol.get((exchange, symbol))

    def get(self, exchange: str, symbol: str) -> InstrumentListing:
        """Return an instrument by its symbol; raise `DataError` naming the nearest one."""
        found = self.find(exchange, symbol)
        if found is None:
            near = difflib.get_close_matches(
                symbol, (each.symbol for each in self if each.exchange == exchange), 1
            )
            hint = f"; the nearest is {near[0]}" if near else ""
            raise DataError(f"{exchange} lists no {symbol} on {self.day}{hint}")
        return found

    def by_token(self, token: int) -> InstrumentListing | None:
        """Return an instrument by the token it has on this day."""
        return self._by_token.get(token)

    def search(self, text: str) -> list[InstrumentListing]:
        """Return the instruments whose symbol begins with `text`, then those whose name holds it.

        Shares come first.
        """
        wanted = text.upper()
        hits = [
            each for each in self if each.symbol.startswith(wanted) or wanted in each.name.upper()
        ]
        return sorted(
            hits, key=lambda each: (not each.symbol.startswith(wanted), each.kind in DERIVATIVES)
        )

    def derivatives(
        self,
        name: str,
        kind: str = "",
        expiry: date | None = None,
        strike: float | None = None,
        exchange: str = "",
    ) -> list[InstrumentListing]:
        """Return the contracts on an underlying, by expiry, strike and kind.

        Empty or None stands for all.
        """
        return [
            each
            for each in self._derivatives.get(name, [])
            if kind in {"", each.kind}
            and expiry in {None, each.expiry}
            and strike in {None, each.strike}
            and exchange in {"", each.exchange}
        ]

    def has_derivatives(self, name: str) -> bool:
        """Return whether a contract on the underlying is listed."""
        return name in self._derivatives

    @property
    def names(self) -> frozenset[str]:
        """Return the underlyings on which a contract is listed."""
        return frozenset(self._derivatives)

    def underlying(self, contract: InstrumentListing) -> InstrumentListing | None:
        """Return the share or index a contract is on, None where no dump at hand lists it."""
        # Contracts on shares trade under the share's own symbol at the exchange's cash market.
        home = {"BFO": "BSE"}.get(contract.exchange, "NSE")
        return self.find(*INDICES.get(contract.name, (home, contract.name)))

    def expiries(self, name: str, kind: str = "", exchange: str = "") -> list[date]:
        """Return the expiries of the contracts on an underlying, nearest first."""
        return sorted(
            {each.expiry for each in self.derivatives(name, kind, exchange=exchange) if each.expiry}
        )

    def monthly_expiries(self, name: str, kind: str = "", exchange: str = "") -> list[date]:
        """Return the last listed expiry of each month."""
        last = {(day.year, day.month): day for day in self.expiries(name, kind, exchange)}
        return list(last.values())

    def nearest_expiry(self, name: str, kind: str = "", on: date | None = None) -> date:
        """Return the first expiry on or after `on` (the dump's day).

        Raise `DataError` where there is none.
        """
        on = on or self.day
        for expiry in self.expiries(name, kind):
            if expiry >= on:
                return expiry
        raise DataError(
            f"no {kind or 'contract'} on {name} expires on {on} or later in the dump of {self.day}"
        )

    def chain(self, name: str, expiry: date, exchange: str = "") -> list[ChainStrike]:
        """Return the option chain of one expiry, lowest strike first."""
        options = self.derivatives(name, expiry=expiry, exchange=exchange)
        sides = {(each.strike, each.kind): each for each in options if each.kind != "FUT"}
        return [
            ChainStrike(at, sides.get((at, "CE")), sides.get((at, "PE")))
            for at in sorted({at for at, _ in sides})
        ]

    def held_against(self, listing: InstrumentListing) -> tuple[str, ...]:
        """Return the day's restrictions of an instrument.

        An F&O ban concerns the derivatives alone.
        """
        if listing.kind in DERIVATIVES:
            return self.restrictions.get(listing.name, ())
        # The share itself may be traded while its derivatives are banned.
        return tuple(why for why in self.restrictions.get(listing.symbol, ()) if why != BANNED)

    def changes_since(self, before: "InstrumentList") -> list[ListingChange]:
        """Return the changes since an earlier dump, in order of symbol.

        They are listed and gone symbols, new tokens, ticks and lots. Only exchanges that both days
        have are compared.
        """
        exchanges = {each.exchange for each in self} & {each.exchange for each in before}
        found: list[ListingChange] = []
        for exchange, symbol in sorted(
            {(each.exchange, each.symbol) for part in (self, before) for each in part}
        ):
            if exchange in exchanges:
                found += _listing_changes(
                    before.find(exchange, symbol), self.find(exchange, symbol)
                )
        return found

    def reused_tokens(
        self, before: "InstrumentList"
    ) -> dict[int, tuple[InstrumentListing, InstrumentListing]]:
        """Return the tokens that meant another instrument in an earlier dump: (then, now)."""
        pairs = ((each.token, before.by_token(each.token), each) for each in self)
        return {
            token: (then, now)
            for token, then, now in pairs
            if then is not None and (then.exchange, then.symbol) != (now.exchange, now.symbol)
        }

    def _add_listing(self, each: InstrumentListing) -> None:
        key = (each.exchange, each.symbol)
        for there in (self._by_symbol.get(key), self._by_token.get(each.token)):
            if there is not None:
                raise DataError(
                    f"instruments of {self.day}: {each.exchange}:{each.symbol} (token "
                    f"{each.token}) and "
                    f"{there.exchange}:{there.symbol} (token {there.token}) exclude each other"
                )
        self._by_symbol[key] = self._by_token[each.token] = each
        if each.kind in DERIVATIVES:
            self._derivatives[each.name].append(each)


BANNED = "F&O ban"
"""No new positions in the derivatives of the underlying.

Its market-wide position limit is used up.
"""


def _listing_changes(
    then: InstrumentListing | None, now: InstrumentListing | None
) -> Iterator[ListingChange]:
    there = now or then
    assert there is not None
    if then is None or now is None:
        yield ListingChange("listed" if now else "gone", there.exchange, there.symbol, 0.0, 0.0)
        return
    pairs = (
        ("token", then.token, now.token),
        ("tick", then.tick, now.tick),
        ("lot", then.lot, now.lot),
    )
    for what, old, new in pairs:
        if old != new:
            yield ListingChange(what, now.exchange, now.symbol, old, new)


def read_dump(text: str, source: str) -> list[InstrumentListing]:
    """Return the rows of a Kite dump (CSV).

    Raise `DataError` naming `source`, the line and the fault. An index, which Kite lists with tick
    and lot 0, gets 0.01 and 1.
    """
    rows = csv.DictReader(io.StringIO(text))
    found: list[InstrumentListing] = []
    try:
        lacking = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if not lacking:
            found.extend(map(_listing_of_row, rows))
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise DataError(f"{source}, line {rows.reader.line_num}: {error}") from error
    if lacking:
        raise DataError(f"{source}: no instrument dump, it lacks {', '.join(lacking)}")
    if not found:
        raise DataError(f"{source}: the dump lists nothing")
    return found


def _listing_of_row(row: dict[str, str]) -> InstrumentListing:
    token, tick, lot = (
        int(row["instrument_token"]),
        float(row["tick_size"]) or 0.01,
        int(row["lot_size"]) or 1,
    )
    if not (
        0 < token <= int(number_bounds.NUMBER)
        and 0.0 < tick <= number_bounds.PRICE
        and 0 < lot <= int(number_bounds.HELD)
    ):
        raise ValueError(f"token {token}, tick {tick:g}, lot {lot}: out of bounds")
    if not EXCHANGE.fullmatch(row["exchange"]):  # it becomes the name of a folder
        raise ValueError(f"no exchange: {row['exchange']!r:.40}")
    return InstrumentListing(
        token,
        row["exchange"],
        symbol=symbol_of(row["tradingsymbol"]),
        name=row["name"],
        kind="INDEX" if row["segment"] == "INDICES" else row["instrument_type"],
        tick=tick,
        lot=lot,
        expiry=date.fromisoformat(row["expiry"]) if row["expiry"] else None,
        strike=float(row["strike"] or 0.0),
    )
