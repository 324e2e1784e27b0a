"""Listed shares: default names with real tokens, ticks by date, bands about the previous close."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.universe.known_indices import INDEX_NAMES, NIFTY_50
from compiled.model.values import Instrument
from engine.errors import ConfigError, DataError
from engine.market.instrument_dumps import content_of, unpacked_text
from engine.market.instruments import InstrumentListing as Row
from engine.market.instruments import read_dump

Dump = Mapping[str, tuple[int, str]]
"""Symbol → (instrument token, name), from a Kite instrument dump."""


class KnownShare(NamedTuple):
    """One share: exchange token, a plausible price, and how it moves with the index."""

    exchange_token: int
    price: float
    beta: float
    title: str

    @property
    def token(self) -> int:
        """Return the instrument token."""
        return self.exchange_token << 8 | 1


NAMES: Mapping[str, KnownShare] = {
    "RELIANCE": KnownShare(2885, 1_512.4, 1.1, "RELIANCE INDUSTRIES"),
    "HDFCBANK": KnownShare(1333, 992.35, 1.0, "HDFC BANK"),
    "ICICIBANK": KnownShare(4963, 1_376.2, 1.1, "ICICI BANK"),
    "INFY": KnownShare(1594, 1_538.7, 0.9, "INFOSYS"),
    "TCS": KnownShare(11536, 3_121.5, 0.8, "TATA CONSULTANCY SERV LT"),
    "SBIN": KnownShare(3045, 968.15, 1.2, "STATE BANK OF INDIA"),
    "ITC": KnownShare(1660, 407.3, 0.6, "ITC"),
    "LT": KnownShare(11483, 4_021.8, 1.1, "LARSEN & TOUBRO"),
    "AXISBANK": KnownShare(5900, 1_254.6, 1.2, "AXIS BANK"),
    "KOTAKBANK": KnownShare(1922, 423.55, 1.0, "KOTAK MAHINDRA BANK"),
    "BHARTIARTL": KnownShare(10604, 2_098.3, 0.8, "BHARTI AIRTEL"),
    "HINDUNILVR": KnownShare(1394, 2_436.9, 0.5, "HINDUSTAN UNILEVER"),
    "BAJFINANCE": KnownShare(317, 1_018.4, 1.3, "BAJAJ FINANCE"),
    "MARUTI": KnownShare(10999, 15_872.0, 0.9, "MARUTI SUZUKI INDIA"),
    "TATAMOTORS": KnownShare(3456, 386.75, 1.3, "TATA MOTORS"),
    "SUNPHARMA": KnownShare(3351, 1_764.2, 0.6, "SUN PHARMACEUTICAL IND L"),
    "WIPRO": KnownShare(3787, 243.68, 0.9, "WIPRO"),
    "NTPC": KnownShare(11630, 328.9, 0.8, "NTPC"),
    "POWERGRID": KnownShare(14977, 276.15, 0.7, "POWER GRID CORP."),
    "TITAN": KnownShare(3506, 3_866.3, 1.0, "TITAN COMPANY"),
}


REST_OF_NIFTY: Mapping[str, KnownShare] = {
    "ADANIENT": KnownShare(25, 2_412.6, 1.4, "ADANI ENTERPRISES"),
    "ADANIPORTS": KnownShare(15083, 1_487.3, 1.2, "ADANI PORT & SEZ"),
    "APOLLOHOSP": KnownShare(157, 7_512.0, 0.7, "APOLLO HOSPITALS ENTER. L"),
    "ASIANPAINT": KnownShare(236, 2_876.4, 0.6, "ASIAN PAINTS"),
    "BAJAJ-AUTO": KnownShare(16669, 9_036.5, 0.9, "BAJAJ AUTO"),
    "BAJAJFINSV": KnownShare(16675, 2_071.8, 1.1, "BAJAJ FINSERV"),
    "BEL": KnownShare(383, 417.35, 1.1, "BHARAT ELECTRONICS"),
    "CIPLA": KnownShare(694, 1_524.9, 0.5, "CIPLA"),
    "COALINDIA": KnownShare(20374, 378.6, 0.8, "COAL INDIA"),
    "DRREDDY": KnownShare(881, 1_243.7, 0.5, "DR. REDDY S LABORATORIES"),
    "EICHERMOT": KnownShare(910, 7_158.5, 0.9, "EICHER MOTORS"),
    "ETERNAL": KnownShare(5097, 303.15, 1.3, "ETERNAL - ZOMATO"),
    "GRASIM": KnownShare(1232, 2_739.2, 0.9, "GRASIM INDUSTRIES"),
    "HCLTECH": KnownShare(7229, 1_612.4, 0.9, "HCL TECHNOLOGIES"),
    "HDFCLIFE": KnownShare(467, 761.25, 0.8, "HDFC LIFE INS CO"),
    "HINDALCO": KnownShare(1363, 794.6, 1.2, "HINDALCO  INDUSTRIES  "),
    "INDIGO": KnownShare(11195, 5_842.0, 0.9, "INTERGLOBE AVIATION"),
    "JIOFIN": KnownShare(18143, 306.8, 1.2, "JIO FIN SERVICES"),
    "JSWSTEEL": KnownShare(11723, 1_164.3, 1.1, "JSW STEEL"),
    "M&M": KnownShare(2031, 3_712.9, 1.0, "MAHINDRA & MAHINDRA"),
    "MAXHEALTH": KnownShare(22377, 1_128.5, 0.7, "MAX HEALTHCARE INS"),
    "NESTLEIND": KnownShare(17963, 1_267.4, 0.5, "NESTLE INDIA"),
    "ONGC": KnownShare(2475, 247.12, 0.8, "OIL AND NATURAL GAS CORP."),
    "SBILIFE": KnownShare(21808, 2_018.6, 0.8, "SBI LIFE INSURANCE CO"),
    "SHRIRAMFIN": KnownShare(4306, 842.75, 1.3, "SHRIRAM FINANCE"),
    "TATACONSUM": KnownShare(3432, 1_176.2, 0.7, "TATA CONSUMER PRODUCT"),
    "TATASTEEL": KnownShare(3499, 172.46, 1.2, "TATA STEEL"),
    "TECHM": KnownShare(13538, 1_447.8, 1.0, "TECH MAHINDRA"),
    "TRENT": KnownShare(1964, 4_386.1, 1.2, "TRENT"),
    "ULTRACEMCO": KnownShare(11532, 11_874.0, 0.8, "ULTRATECH CEMENT"),
}
"""With `NAMES` the fifty shares of the index; they sleep until they are asked for."""
KNOWN: Mapping[str, KnownShare] = {**NAMES, **REST_OF_NIFTY}


def share_token(symbol: str, dump: Dump) -> int:
    """Return the instrument token: the dump's, the known one, or one derived from the symbol."""
    if symbol in dump:
        return dump[symbol][0]
    known = NAMES.get(symbol)
    return known.token if known else (30_000 + crc32(symbol.encode()) % 30_000) << 8 | 1


def share_title(symbol: str, dump: Dump) -> str:
    """Return the company's name as the instrument dump writes it."""
    if symbol in dump:
        return dump[symbol][1]
    return NAMES[symbol].title if symbol in NAMES else symbol


def load_dump(path: Path | None) -> tuple[list[Row], str]:
    """Return a Kite instrument dump (CSV, may be gzipped) as rows and text; raise `DataError`."""
    if path is None:
        return [], ""
    try:
        text = unpacked_text(content_of(path), f"instrument dump {path}")
    except OSError as error:
        raise DataError(f"instrument dump {path}: {error.strerror}") from error
    return read_dump(text, f"instrument dump {path}"), text


def dump_titles(rows: Iterable[Row]) -> dict[str, tuple[int, str]]:
    """Return what a dump says of NSE's shares: symbol → (token, name)."""
    return {
        row.symbol: (row.token, row.name)
        for row in rows
        if row.exchange == "NSE" and row.kind == "EQ"
    }


def make_share(
    symbol: str, close: float, tick: float, band: tuple[float, float], rules: DayRules, dump: Dump
) -> Instrument:
    """Return an NSE share with a band (rupees) snapped inwards to its grid."""
    freeze = rules.orders.max_quantity
    made = Instrument(
        share_token(symbol, dump),
        "NSE",
        symbol,
        tick,
        name=share_title(symbol, dump),
        freeze=freeze,
    )
    made.lower = made.snap(band[0], 1)
    made.upper = made.snap(band[1], -1)
    made.close = close
    return made


def nifty_index() -> Instrument:
    """Return the index NIFTY 50."""
    of = INDEX_NAMES[NIFTY_50]
    return Instrument(of.token, "NSE", NIFTY_50, 0.05, kind="INDEX", name=NIFTY_50, close=of.level)


def default_share(symbol: str, rules: DayRules, close: float | None = None) -> Instrument:
    """Return one of the crowd's names and its `close`; raise `ConfigError` without a price."""
    name = KNOWN.get(symbol)
    if name is None:
        raise ConfigError(f"symbol {symbol!r}: the sandbox's crowd trades {', '.join(KNOWN)}")
    price = close or name.price
    tick = rules.tick(price)
    bare = Instrument(0, "NSE", symbol, tick)
    close = bare.snap(price)
    return make_share(
        symbol,
        close,
        tick=tick,
        band=(close * 0.9, close * 1.1),
        rules=rules,
        dump={symbol: (name.token, name.title)},
    )
