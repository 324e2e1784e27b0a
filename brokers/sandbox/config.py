"""Configuration of a sandbox, and the address of a started one."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zlib import crc32

from brokers.sandbox import faults, kite_times
from brokers.sandbox.assumptions import GUESSED, KiteAssumptions
from brokers.sandbox.faults import Fault
from brokers.sandbox.rate_limits import Strictness
from compiled.model.number_bounds import MONEY
from engine.errors import ConfigError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EXCHANGES = ("NSE", "NFO", "BSE", "BFO", "MCX")
MOST_INSTRUMENTS = 9_000
MOST_PORT = 65_535
SANDBOX_USER = re.compile(r"SB\w*|SANDBOX\w*")
"""Real ones are two letters and four digits; none begins like this one's own."""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """One sandbox day; the same configuration and the same requests give the same bytes."""

    seed: int = 7
    """Of the crowd and the history before the day."""
    date: str = "2026-11-20"
    """The virtual day, YYYY-MM-DD."""
    start: str = ""
    """IST time of day at which the clock starts; empty: the open.

    The session before it has already happened.
    """
    speed: float | None = 1.0
    """Virtual seconds per second; None: lockstep, time moves only by `POST /sandbox/advance`."""
    symbols: tuple[str, ...] = ()
    """Listed symbols; empty: the twenty names of `known_shares.py`, or every symbol of the tape."""
    exchanges: tuple[str, ...] = ("NSE",)
    """Exchanges of the crowd besides NSE.

    NFO (futures and options on the listed shares), BSE (the same shares), BFO, MCX.
    """
    wide: bool = False
    """List the rest of the NIFTY 50, the common indices and the contracts on them, asleep."""
    size: int = 0
    """How many instruments are listed in all, up to 9,000; 0: what the names and exchanges give."""
    tape: Path | None = None
    """Folder of SYMBOL.parquet with recorded 1-minute bars; None: the seeded crowd."""
    instruments: Path | None = None
    """Kite instrument dump (CSV, may be gzipped) from which names and tokens come."""
    host: str = "127.0.0.1"
    port: int = 0
    """0: any free one."""
    public: bool = False
    """Let `host` be an address that other machines reach; the admin routes stay on this one."""
    salt: str = ""
    """Source of key, secret and tokens; empty: new in every run, with `state` in every file."""
    cash: int = 10_00_000_00
    """Opening balance, paise."""
    holdings: tuple[tuple[str, int, float], ...] = ()
    """Shares brought over from earlier days: (symbol, quantity, average price in rupees)."""
    unsettled: tuple[tuple[str, int, float], ...] = ()
    """Shares bought the day before (T1), likewise."""
    positions: tuple[tuple[str, str, int, float], ...] = ()
    """Positions carried overnight: ("EXCHANGE:SYMBOL", product, signed quantity, rupees a unit)."""
    consent: bool = True
    """Shares can be sold without an authorisation at the depository; False: sales need one (428).
    """
    square_off: bool = True
    """Close intraday positions at Zerodha's time for the day."""
    post_close: bool = False
    """Keep the day open for the post-close session; False: it ends with the last match."""
    postback: str = ""
    """Where order updates are posted as well, http://… on this machine."""
    state: Path | None = None
    """SQLite file that keeps the account over restarts, and carries it over to a later date."""
    actions: Path | None = None
    """NSE's list of corporate actions (Parquet).

    Those between two days of the account are applied to it.
    """
    user_id: str = ""
    """Empty: derived from seed, date, tape and symbols; with `state` those of the first day."""
    redirect: str = ""
    """Where the login page sends the browser; empty: a page of the sandbox itself."""
    choices: KiteAssumptions = GUESSED
    """Assumptions about Kite that are not certain."""
    limits: Strictness = "kite"
    """Answer 429 beyond the documented request rates."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong, and when."""
    faults_file: Path | None = None
    """TOML file with more of them, as `[[fault]]` tables."""

    def check(self) -> None:
        """Raise `ConfigError` for a value that no sandbox can run with."""
        kite_times.midnight(self.date)
        if self.start:
            kite_times.time_of_day(self.start)
        if not 0 <= self.port <= MOST_PORT:
            raise ConfigError(f"sandbox port {self.port}: expected 0 to {MOST_PORT}")
        if self.speed is not None and not self.speed > 0:
            raise ConfigError(
                f"sandbox speed {self.speed}: it must be above 0, or None for lockstep"
            )
        if self.host not in LOOPBACK and not self.public:
            raise ConfigError(
                f"sandbox host {self.host!r}: the sandbox serves this machine only, use 127.0.0.1"
            )
        for exchange in self.exchanges:
            if exchange not in EXCHANGES:
                raise ConfigError(f"sandbox exchange {exchange!r}: expected {', '.join(EXCHANGES)}")
        if not 0 <= self.size <= MOST_INSTRUMENTS:
            raise ConfigError(f"sandbox size {self.size}: at most {MOST_INSTRUMENTS} instruments")
        if self.postback and urlsplit(self.postback).hostname not in LOOPBACK:
            raise ConfigError(
                f"sandbox postback {self.postback!r}: updates are posted to this machine only"
            )
        if self.user_id and not SANDBOX_USER.fullmatch(self.user_id):
            raise ConfigError(
                f"sandbox user {self.user_id!r}: it looks like a real one; begin it with SB"
            )
        if not self.choices.heartbeat > 0:
            raise ConfigError(f"sandbox heartbeat {self.choices.heartbeat}: it must be above 0")
        if not 0 <= self.cash < MONEY:
            raise ConfigError(f"sandbox cash {self.cash}: expected paise from 0 to below {MONEY}")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"sandbox seed {self.seed}: expected 0 to {2**63 - 1}")

    def all_faults(self) -> list[Fault]:
        """Return the rules of the configuration and of its file.

        Raise `ConfigError` for a bad one.
        """
        return [
            *self.faults,
            *(faults.faults_from_file(self.faults_file) if self.faults_file else ()),
        ]

    @property
    def user(self) -> str:
        """Return the account's user id, two letters and four digits like a real one."""
        source = f"{self.seed}|{self.date}|{self.tape}|{','.join(self.symbols)}"
        return self.user_id or f"SB{crc32(source.encode()) % 10_000:04d}"


@dataclass(frozen=True, slots=True)
class SandboxEndpoint:
    """Address and credentials of a started sandbox."""

    rest: str
    ws: str
    api_key: str
    api_secret: str
    access_token: str
    user_id: str
    admin: str
    """Key to the admin routes, of this run."""

    def __repr__(self) -> str:
        return f"Endpoint(rest={self.rest!r})"
