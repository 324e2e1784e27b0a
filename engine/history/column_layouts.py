"""Layouts of bar files by column names: Kite, NSE's bhavcopies, yfinance, AmiBroker, plain."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.errors import DataError

STAMP, DATE, TIME = "stamp", "date", "time"
OPEN, HIGH, LOW, CLOSE, VOLUME = "open", "high", "low", "close", "volume"
SYMBOL, SERIES, INTEREST = "symbol", "series", "open interest"
CONTRACT, EXPIRY, STRIKE, RIGHT = "contract", "expiry", "strike", "right"
PRICES = (OPEN, HIGH, LOW, CLOSE)
ROLES = (
    STAMP,
    DATE,
    TIME,
    *PRICES,
    VOLUME,
    SYMBOL,
    SERIES,
    INTEREST,
    CONTRACT,
    EXPIRY,
    STRIKE,
    RIGHT,
)

NAMES = {
    STAMP: "timestamp datetime date_time stamp time_stamp start index",
    DATE: "date date1 traddt trade_date tradedate dtyyyymmdd dt day",
    TIME: "time trade_time tm",
    OPEN: "open open_price opnpric o op open_",
    HIGH: "high high_price hghpric h hi",
    LOW: "low low_price lwpric l lo",
    CLOSE: "close close_price clspric c cl",
    VOLUME: (
        "volume vol ttl_trd_qnty tottrdqty ttltradgvol v qty total_traded_quantity traded_quantity"
    ),
    SYMBOL: "symbol ticker tckrsymb tradingsymbol name scrip instrument_name",
    SERIES: "series sctysrs",
    INTEREST: "oi open_interest openinterest o_i opnintrst openint",
    CONTRACT: "fininstrmnm",
    EXPIRY: "xprydt expiry_dt expiry_date expiry",
    STRIKE: "strkpric strike_pr strike_price strike",
    RIGHT: "optntp option_typ option_type right",
}
ROLE_OF = {name: role for role, names in NAMES.items() for name in names.split()}
KNOWN = {
    "NSE bhavcopy (UDiFF)": {"tckrsymb", "sctysrs", "opnpric"},
    "NSE bhavcopy (full)": {"date1", "ttl_trd_qnty", "close_price"},
    "NSE bhavcopy (before 2024)": {"tottrdqty", "prevclose", "timestamp"},
    "AmiBroker, MetaStock": {"ticker", "date", "open"},
    "yfinance": {"adj_close", "close"},
}
"""Formats by names that only they have; the first that fits is said."""
TRADED = frozenset(
    {"EQ", "BE", "BZ", "SM", "ST", "GS", "GB", "IV", "RR", "MF", "SZ", "TB"}
) | frozenset({"A", "B", "T", "X", "XT", "Z", "ZP", "M", "MT", "E", "IF"})
"""NSE's series, then BSE's groups, of which a symbol has one.

E1, partly paid, stands beside the share's EQ.
"""
NO_SYMBOL = re.compile(
    r"(\d*min(ute)?s?|\d+[mhd]|eq|nse|bse|nfo|daily|day|hour|ohlcv?|data|candles?|ticks?|history|hist|kite|dly|\d{6,}|\(\d+\))",
    re.IGNORECASE,
)
"""Words of file names that are no part of a symbol."""


class ColumnLayout(NamedTuple):
    """Roles of columns, by the names in the file.

    `format` is the source of the table.
    """

    format: str
    column: Mapping[str, str]

    def __str__(self) -> str:
        """Return the roles and their columns, as an operator can give them back."""
        return ", ".join(f"{role}={name}" for role, name in self.column.items())


def layout_of(names: Sequence[str], given: Mapping[str, str], file: Path) -> ColumnLayout:
    """Return the roles of columns; `given` (role to name) goes first.

    Raises `DataError` where one is missing or wrong.
    """
    for role, name in given.items():
        if role not in ROLES:
            raise DataError(
                f"--map {role}={name}: there is no {role}; there are {', '.join(ROLES)}"
            )
        if name not in names:
            raise DataError(
                f"--map {role}={name}: {file} has no such column; it has {', '.join(names)}"
            )
    column: dict[str, str] = dict(given)
    for name in names:
        guessed = ROLE_OF.get(normal_name(name))
        if guessed is not None and guessed not in column and name not in column.values():
            column[guessed] = name
    if STAMP not in column and DATE not in column and TIME in column:
        column[STAMP] = column.pop(TIME)  # a lone "time" holds the date as well
    if STAMP in column and DATE in column and TIME not in column:
        column.pop(DATE)
    lacking = [role for role in PRICES if role not in column]
    if STAMP not in column and DATE not in column:
        lacking.insert(0, DATE)
    if lacking:
        raise DataError(
            f"{file}: no column for {', '.join(lacking)} among {', '.join(names)}; name it: --map "
            f"{lacking[0]}=COLUMN"
        )
    plain = {normal_name(name) for name in names}
    whose = next((form for form, marks in KNOWN.items() if marks <= plain), "a plain table")
    return ColumnLayout(whose, {role: column[role] for role in ROLES if role in column})


def normal_name(name: str) -> str:
    """Return a column's name without case, brackets, spaces and dots."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def symbol_of(file: Path) -> str:
    """Return the symbol in a file's name.

    Read are `INFY_minute.csv`, `M&M__EQ__NSE__NSE__MINUTE.csv`, `NSE_INFY, 1.csv`.
    """
    name = re.sub(r"\.(gz|csv|txt|parquet|pq)", "", file.name, flags=re.IGNORECASE).partition(",")[
        0
    ]
    words = re.split(r"[_ ]+", re.sub(r"\.(NS|BO)\b", "", name, flags=re.IGNORECASE))
    return " ".join(word for word in words if word and not NO_SYMBOL.fullmatch(word)).upper()
