"""Daily instrument dumps, with the ban and surveillance lists that came with them.

    FOLDER/NSE/2026-08-18.csv.gz      the first dump of that day; 2026-08-18.2.csv.gz a later one
    FOLDER/lists/2026-08-18-ban.csv   NSE's list of securities in the F&O ban period, where given
    FOLDER/lists/2026-08-18-surveillance.csv   columns symbol and measure, where given

Nothing is ever overwritten: a run that read a dump can be repeated.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple, final

from engine.errors import DataError, OperatorError, in_words
from engine.market.instruments import BANNED, InstrumentList, InstrumentListing, read_dump
from engine.system import private_files

NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.(\d+))?\.csv\.gz")
MOST_BYTES = 64 << 20
"""Of a list, unpacked; the dump of all exchanges is about a sixth of it."""
# Contracts expire by the thousand, but never half of an exchange in a day.
KEPT = 0.5
"""A dump with fewer than this part of the rows of the one before is taken for a broken download."""


class DumpVersion(NamedTuple):
    """One stored dump: its day, the number of the fetch on that day, and where it lies."""

    day: date
    number: int
    path: Path


@final
class DumpFolder:
    """The dumps below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, day: date, content: bytes) -> list[DumpVersion]:
        """Store a dump (CSV, gzipped or not) by exchange and return the files that hold it now.

        The same content again is not stored again. Raises `DataError` for a dump that cannot be
        read or that has lost half of an exchange, `OperatorError` where the folder cannot be
        written.
        """
        text = unpacked_text(content, f"dump of {day}")
        listings = read_dump(text, f"dump of {day}")
        # For its checks alone: a dump in which two rows claim one token must not be kept.
        InstrumentList(day, listings)
        parts: dict[str, list[InstrumentListing]] = {}
        for each in listings:
            parts.setdefault(each.exchange, []).append(each)
        for exchange, rows in parts.items():
            self._check_size(day, exchange, len(rows))
        return [
            self._store_dump(day, exchange, _exchange_rows(text, exchange))
            for exchange in sorted(parts)
        ]

    def versions(self, exchange: str) -> list[DumpVersion]:
        """Return the stored dumps of an exchange, oldest first."""
        found = []
        for path in (self.folder / exchange).glob("*.csv.gz"):
            match = NAME.fullmatch(path.name)
            if match:
                found.append(DumpVersion(date.fromisoformat(match[1]), int(match[2] or 1), path))
        return sorted(found)

    def days(self, exchange: str) -> list[date]:
        """Return the days with a dump of an exchange, oldest first."""
        return sorted({each.day for each in self.versions(exchange)})

    def exchanges(self) -> list[str]:
        """Return the exchanges with a dump."""
        return sorted(
            path.name
            for path in self.folder.glob("*")
            if path.name != "lists" and self.versions(path.name)
        )

    def load(self, day: date, exchanges: Iterable[str] = ()) -> InstrumentList:
        """Return the instruments of exactly this day.

        Raise `DataError` naming the days there are.
        """
        wanted = list(exchanges) or [
            e for e in self.exchanges() if any(v.day == day for v in self.versions(e))
        ]
        if not wanted:
            raise self._no_dump_error(day, self.exchanges())
        restrictions = self._day_restrictions(day)
        parts = []
        for exchange in wanted:
            versions = [each for each in self.versions(exchange) if each.day == day]
            if not versions:
                raise self._no_dump_error(day, [exchange])
            parts.append(InstrumentList(day, listings_of(versions[-1].path), restrictions))
        return InstrumentList.union(parts)

    def latest(self, on: date, exchanges: Iterable[str] = ()) -> InstrumentList:
        """Return the instruments of the last dump on or before `on`."""
        wanted = list(exchanges)
        days = [
            {each.day for each in self.versions(exchange) if each.day <= on}
            for exchange in wanted or self.exchanges()
        ]
        common = set[date]().union(*days) if not wanted else set.intersection(*days)
        if not common:
            raise self._no_dump_error(on, wanted or self.exchanges())
        return self.load(max(common), wanted)

    def _no_dump_error(self, day: date, exchanges: Iterable[str]) -> DataError:
        there = [
            f"{exchange} from {found[0].day} to {found[-1].day}"
            for exchange in exchanges
            if (found := self.versions(exchange))
        ]
        have = f"there are {', '.join(there)}" if there else "there is none"
        return DataError(f"no instrument dump of {day} in {self.folder}: {have}")

    def _check_size(self, day: date, exchange: str, rows: int) -> None:
        earlier = [each for each in self.versions(exchange) if each.day <= day]
        if earlier and rows < KEPT * len(listings_of(earlier[-1].path)):
            raise DataError(
                f"dump of {day}: {rows} instruments of {exchange}, fewer than half of those in "
                f"{earlier[-1].path}"
            )

    def _store_dump(self, day: date, exchange: str, text: str) -> DumpVersion:
        there = [each for each in self.versions(exchange) if each.day == day]
        for each in there:
            # The texts, not the files: another version of gzip packs the same text otherwise.
            if unpacked_text(content_of(each.path), str(each.path)) == text:
                return each
        number = len(there) + 1
        name = f"{day}.csv.gz" if number == 1 else f"{day}.{number}.csv.gz"
        path = self.folder / exchange / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # mtime=0: the same dump gives the same bytes.
            private_files.replace_private(path, gzip.compress(text.encode(), mtime=0))
        except OSError as error:
            raise OperatorError(f"cannot write {path}: {in_words(error)}") from error
        return DumpVersion(day, number, path)

    def _day_restrictions(self, day: date) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        ban, surveillance = (
            self.folder / "lists" / f"{day}-{what}.csv" for what in ("ban", "surveillance")
        )
        if ban.is_file():
            found |= dict.fromkeys(sorted(ban_list(_file_text(ban), day, str(ban))), (BANNED,))
        if surveillance.is_file():
            for symbol, measure in surveillance_list(_file_text(surveillance), str(surveillance)):
                found[symbol] = (*found.get(symbol, ()), measure)
        return found


def listings_of(path: Path) -> list[InstrumentListing]:
    """Return the rows of a dump file, gzipped or not; raise `DataError`."""
    try:
        content = content_of(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    return read_dump(unpacked_text(content, str(path)), str(path))


def ban_list(text: str, day: date, source: str) -> set[str]:
    """Return the symbols of NSE's list of securities in the ban period.

    Raise `DataError` for another day's list.

    Its first line ends in "for Trade Date 20-NOV-2026:", then come numbered symbols.
    """
    head, *rows = text.strip().splitlines() or [""]
    match = re.search(r"(\d{1,2}-[A-Za-z]{3}-\d{4})", head)
    if match is None:
        raise DataError(f"{source}: no list of securities in ban, its first line has no date")
    listed_day = datetime.strptime(match[1].title(), "%d-%b-%Y").date()  # noqa: DTZ007  a day, no moment
    if listed_day != day:
        raise DataError(f"{source}: the list is of {listed_day}, not of {day}")
    return {
        row.rsplit(",", 1)[-1].strip()
        for row in rows
        # NSE writes NIL where nothing is banned.
        if row.rsplit(",", 1)[-1].strip() not in {"", "NIL"}
    }


def surveillance_list(text: str, source: str) -> list[tuple[str, str]]:
    """Return (symbol, measure) of a surveillance list (ASM, GSM, ESM ...).

    Raise `DataError` without these columns.
    """
    rows = csv.DictReader(text.splitlines())
    try:
        if {"symbol", "measure"} <= set(rows.fieldnames or ()):
            return [
                (row["symbol"].strip(), (row["measure"] or "").strip())
                for row in rows
                if row["symbol"]
            ]
    except csv.Error as error:
        raise DataError(f"{source}, line {rows.reader.line_num}: {error}") from error
    raise DataError(f"{source}: a surveillance list needs the columns symbol and measure")


def content_of(path: Path) -> bytes:
    """Return the content of a file, of one too large to be a list no more than the beginning.

    Raise `OSError`.
    """
    with path.open("rb") as file:
        # One byte more, so that whoever looks at the length sees that it was cut.
        return file.read(MOST_BYTES + 1)


def unpacked_text(content: bytes, source: str) -> str:
    """Return a text file's content, gzipped or not; raise `DataError`."""
    try:
        if content[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                # Bounded while it unpacks: a few KB of gzip can hold gigabytes.
                content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise DataError(f"{source}: more than {MOST_BYTES >> 20} MB")
        return content.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{source}: {in_words(error)}") from error


def _file_text(path: Path) -> str:
    return unpacked_text(content_of(path), str(path))


def _exchange_rows(text: str, exchange: str) -> str:
    """Return the header and the rows of one exchange, which Kite writes in the last column."""
    rows = list(csv.reader(text.splitlines()))
    column = rows[0].index("exchange")
    kept = io.StringIO()
    csv.writer(kept, lineterminator="\n").writerows(
        [rows[0], *(row for row in rows[1:] if row[column:] == [exchange])]
    )
    return kept.getvalue()
