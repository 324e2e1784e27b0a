"""What is listed: the default names with their real tokens, tick sizes by date, and bands around the previous close."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from brokers.sandbox.day_rules import DayRules
from compiled.model import Instrument
from engine.errors import ConfigError, DataError
from engine.market.dumps import unpacked
from engine.market.instruments import Listing as Row
from engine.market.instruments import read

NIFTY_TOKEN = 256265
NIFTY_LEVEL = 26_000.0
"""Where the index starts: a plausible level, since its real divisor is not modelled."""


Dump = Mapping[str, tuple[int, str]]
"""Symbol → (instrument token, name), from a Kite instrument dump."""


class Name(NamedTuple):
    """One share: exchange token, a plausible price, and how it moves with the index."""

    exchange_token: int
    price: float
    beta: float
    title: str


NAMES: Mapping[str, Name] = {
    "RELIANCE": Name(2885, 1_512.4, 1.1, "RELIANCE INDUSTRIES"),
    "HDFCBANK": Name(1333, 992.35, 1.0, "HDFC BANK"),
    "ICICIBANK": Name(4963, 1_376.2, 1.1, "ICICI BANK"),
    "INFY": Name(1594, 1_538.7, 0.9, "INFOSYS"),
    "TCS": Name(11536, 3_121.5, 0.8, "TATA CONSULTANCY SERV LT"),
    "SBIN": Name(3045, 968.15, 1.2, "STATE BANK OF INDIA"),
    "ITC": Name(1660, 407.3, 0.6, "ITC"),
    "LT": Name(11483, 4_021.8, 1.1, "LARSEN & TOUBRO"),
    "AXISBANK": Name(5900, 1_254.6, 1.2, "AXIS BANK"),
    "KOTAKBANK": Name(1922, 423.55, 1.0, "KOTAK MAHINDRA BANK"),
    "BHARTIARTL": Name(10604, 2_098.3, 0.8, "BHARTI AIRTEL"),
    "HINDUNILVR": Name(1394, 2_436.9, 0.5, "HINDUSTAN UNILEVER"),
    "BAJFINANCE": Name(317, 1_018.4, 1.3, "BAJAJ FINANCE"),
    "MARUTI": Name(10999, 15_872.0, 0.9, "MARUTI SUZUKI INDIA"),
    "TATAMOTORS": Name(3456, 386.75, 1.3, "TATA MOTORS"),
    "SUNPHARMA": Name(3351, 1_764.2, 0.6, "SUN PHARMACEUTICAL IND L"),
    "WIPRO": Name(3787, 243.68, 0.9, "WIPRO"),
    "NTPC": Name(11630, 328.9, 0.8, "NTPC"),
    "POWERGRID": Name(14977, 276.15, 0.7, "POWER GRID CORP."),
    "TITAN": Name(3506, 3_866.3, 1.0, "TITAN COMPANY"),
}


def token(symbol: str, dump: Dump) -> int:
    """Return the instrument token: the dump's, else the known one, else one derived from the symbol."""
    if symbol in dump:
        return dump[symbol][0]
    known = NAMES.get(symbol)
    exchange_token = known.exchange_token if known else 30_000 + crc32(symbol.encode()) % 30_000
    return exchange_token << 8 | 1


def title(symbol: str, dump: Dump) -> str:
    """Return the company's name as the instrument dump writes it."""
    if symbol in dump:
        return dump[symbol][1]
    return NAMES[symbol].title if symbol in NAMES else symbol


def read_dump(path: Path | None) -> tuple[list[Row], str]:
    """Return a Kite instrument dump (CSV, may be gzipped) as rows and as text; raise `DataError`."""
    if path is None:
        return [], ""
    try:
        text = unpacked(path.read_bytes(), f"instrument dump {path}")
    except OSError as error:
        raise DataError(f"instrument dump {path}: {error.strerror}") from error
    return read(text, f"instrument dump {path}"), text


def titles(rows: Iterable[Row]) -> dict[str, tuple[int, str]]:
    """Return what a dump says of NSE's shares: symbol → (token, name)."""
    return {row.symbol: (row.token, row.name) for row in rows if row.exchange == "NSE" and row.kind == "EQ"}


def share(symbol: str, close: float, tick: float, band: tuple[float, float], rules: DayRules, dump: Dump) -> Instrument:
    """Return an NSE share whose band (rupees) is snapped inwards to its grid."""
    freeze = rules.orders.max_quantity
    made = Instrument(token(symbol, dump), "NSE", symbol, tick, name=title(symbol, dump), freeze=freeze)
    made.lower = made.snap(band[0], 1)
    made.upper = made.snap(band[1], -1)
    made.close = close
    return made


def nifty() -> Instrument:
    """Return the index NIFTY 50."""
    return Instrument(NIFTY_TOKEN, "NSE", "NIFTY 50", 0.05, kind="INDEX", name="NIFTY 50", close=NIFTY_LEVEL)


def default_share(symbol: str, rules: DayRules) -> Instrument:
    """Return one of the crowd's names; raise `ConfigError` for one that has no price here."""
    name = NAMES.get(symbol)
    if name is None:
        raise ConfigError(f"symbol {symbol!r}: the sandbox's crowd trades {', '.join(NAMES)}")
    tick = rules.tick(name.price)
    bare = Instrument(0, "NSE", symbol, tick)
    close = bare.snap(name.price)
    return share(symbol, close, tick, (close * 0.9, close * 1.1), rules, {})
