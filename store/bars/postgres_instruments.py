"""Instrument dumps in Postgres, by day, beside the bars: `market_data.instruments`."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final, final

from engine.errors import DataError
from engine.market.instruments import InstrumentList, InstrumentListing
from store.bars.postgres_bars import PostgresBars

FIELDS: Final = "day, exchange, symbol, token, name, kind, expiry, strike, tick, lot"


@final
class PostgresDumps:
    """Instrument dumps on a server (`KeptDumps`), with the connection and errors of its bars."""

    def __init__(self, bars: PostgresBars) -> None:
        self._bars = bars

    def keep(self, day: date, listings: Iterable[InstrumentListing]) -> None:
        """Store the listings of a day, in place of those of the same exchanges and day."""
        rows = [
            (
                day,
                each.exchange,
                each.symbol,
                each.token,
                each.name,
                each.kind,
                each.expiry,
                each.strike,
                each.tick,
                each.lot,
            )
            for each in listings
        ]

        def store(connection: Any) -> None:
            with connection.transaction():
                # in one order, so that two desks do not wait for each other
                for exchange in sorted({row[1] for row in rows}):
                    connection.execute(
                        "DELETE FROM market_data.instruments WHERE day = %s AND exchange = %s",
                        (day, exchange),
                    )
                with connection.cursor().copy(
                    f"COPY market_data.instruments ({FIELDS}) FROM STDIN"
                ) as copy:
                    for row in rows:
                        copy.write_row(row)

        self._bars.run(store)

    def days(self, exchange: str) -> Sequence[date]:
        """Return the days that have a dump of an exchange, oldest first."""
        query = "SELECT DISTINCT day FROM market_data.instruments WHERE exchange = %s ORDER BY day"
        return [
            row[0]
            for row in self._bars.run(
                lambda connection: connection.execute(query, (exchange,)).fetchall()
            )
        ]

    def exchanges(self) -> list[str]:
        """Return the exchanges that have a dump."""
        query = "SELECT DISTINCT exchange FROM market_data.instruments ORDER BY exchange"
        return [
            row[0]
            for row in self._bars.run(lambda connection: connection.execute(query).fetchall())
        ]

    def load(self, day: date, exchanges: Iterable[str] = ()) -> InstrumentList:
        """Return the instruments of exactly this day; raise `DataError` where there is none."""
        wanted = list(exchanges) or self.exchanges()
        query = (
            f"SELECT {FIELDS} FROM market_data.instruments WHERE day = %s AND exchange = ANY(%s)"  # noqa: S608 - names of our own
        )
        rows = self._bars.run(
            lambda connection: connection.execute(query, (day, wanted)).fetchall()
        )
        if not rows:
            raise DataError(
                f"no instrument dump of {day} in Postgres: see patang instruments share"
            )
        return InstrumentList(
            day,
            (
                InstrumentListing(
                    token,
                    exchange,
                    symbol=symbol,
                    name=name,
                    kind=kind,
                    tick=tick,
                    lot=lot,
                    expiry=expiry,
                    strike=strike,
                )
                for _, exchange, symbol, token, name, kind, expiry, strike, tick, lot in rows
            ),
        )
