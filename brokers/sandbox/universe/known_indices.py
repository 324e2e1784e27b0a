"""Listed indices: real tokens, plausible levels, and the shares each of them moves with."""

from collections.abc import Mapping
from typing import NamedTuple


class KnownIndex(NamedTuple):
    """One index: place, token, plausible level, and how far it moves with its `members`.

    Without `members` it moves with all shares.
    """

    exchange: str
    token: int
    level: float
    members: frozenset[str] = frozenset()
    gain: float = 1.0


BANKS = frozenset({"HDFCBANK", "ICICIBANK", "SBIN", "AXISBANK", "KOTAKBANK"})
NIFTY_50 = "NIFTY 50"
INDEX_NAMES: Mapping[str, KnownIndex] = {
    # plausible levels: the divisors of the real ones are not modelled
    NIFTY_50: KnownIndex("NSE", 256265, 26_000.0),
    "NIFTY BANK": KnownIndex("NSE", 260105, 58_900.0, BANKS),
    "NIFTY FIN SERVICE": KnownIndex("NSE", 257801, 27_400.0, BANKS | {"BAJFINANCE"}),
    "NIFTY MID SELECT": KnownIndex("NSE", 288009, 13_900.0),
    "NIFTY NEXT 50": KnownIndex("NSE", 270857, 69_400.0),
    "NIFTY MIDCAP 100": KnownIndex("NSE", 256777, 60_700.0),
    "NIFTY IT": KnownIndex("NSE", 259849, 36_800.0, frozenset({"INFY", "TCS", "WIPRO"})),
    "NIFTY AUTO": KnownIndex("NSE", 263433, 27_300.0, frozenset({"MARUTI", "TATAMOTORS"})),
    "NIFTY PHARMA": KnownIndex("NSE", 262409, 22_600.0, frozenset({"SUNPHARMA"})),
    "INDIA VIX": KnownIndex("NSE", 264969, 12.65, gain=-5.0),
    "SENSEX": KnownIndex("BSE", 265, 85_200.0),
    "BANKEX": KnownIndex("BSE", 274441, 66_100.0, BANKS),
}
FINE = 0.01
"""The grid of BSE's indices, and of the volatility's; NSE's others step by 0.05.

Seen in ticks and minutes of NIFTY 50, 2021 to 2025.
"""
FEWEST = 2
"""Fewest moving members of an index; one with fewer goes with every moving share."""
