"""The desk's configuration: every setting with its bounds, its default, and its meaning.

The structs below are the only list of settings: `config.toml` and `docs/configuration.md` are made
out of them. Money is in whole rupees, durations in seconds, percents are percents.
The parameters of a strategy stand in the strategy; whoever reads a file (`config_files.py`) hands
in those it knows.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from engine.config import addresses
from engine.config.desk_modes import Mode
from engine.config.promotion_settings import PromotionSettings
from engine.config.scoring_settings import ScoringSettings
from engine.config.setting_types import (
    CRORE,
    Span,
    Symbols,
    described_as,
    matching_pattern,
    variable_name,
    within_bounds,
)
from engine.config.toml_reader import SECRET
from engine.errors import ConfigError


class DeskSettings(Struct, frozen=True, kw_only=True):
    """The desk as a whole."""

    mode: Annotated[
        Mode,
        described_as(
            "What the desk trades against; live also needs --live and a typed confirmation."
        ),
    ] = "sandbox"
    state_dir: Annotated[
        str, described_as("Folder of the database, logs and bars; empty: ~/.local/state/patang.")
    ] = ""
    corporate_actions: Annotated[
        str,
        described_as(
            "NSE's list of corporate actions (Parquet); what stands on an ex-date is flagged when "
            "the day opens. Empty: none."
        ),
    ] = ""
    on_terminal_loss: Annotated[
        Literal["flatten", "kill", "continue"],
        described_as(
            "What the engine does when its terminal is gone: square off, halt, or go on. A demo "
            "or a replay ends."
        ),
    ] = "continue"


class BrokerSettings(Struct, frozen=True, kw_only=True):
    """The broker of the orders."""

    name: Annotated[
        str,
        described_as("The broker: sandbox, which is on this machine, or a real one (kite)."),
    ] = "sandbox"
    rest: Annotated[
        str,
        matching_pattern(
            addresses.REST,
            'a URL as "https://host:port" and nothing after it, or empty',
            "Address of its REST API, https://sandbox.kite.trade for Kite's own sandbox, which is "
            "a broker of name kite; empty: the embedded one, or Kite's API.",
        ),
    ] = ""
    ws: Annotated[
        str,
        matching_pattern(
            addresses.WS,
            'a URL as "wss://host:port" and nothing after it, or empty',
            "Address of its market data socket; empty: the embedded sandbox's, or Kite's own.",
        ),
    ] = ""
    api_key: Annotated[str, described_as("The application's key.")] = ""
    api_key_env: Annotated[
        str, variable_name("Environment variable that holds the key, instead.")
    ] = ""
    access_token: Annotated[
        str,
        Meta(
            description="Today's token, of a sandbox only: a real one never stands in a file.",
            extra=SECRET,
        ),
    ] = ""
    access_token_env: Annotated[
        str, variable_name("Environment variable that holds today's token, instead.")
    ] = ""
    api_secret_env: Annotated[
        str,
        variable_name(
            "Environment variable that holds the application's secret, for the login; empty: "
            "the broker's usual one (KITE_API_SECRET)."
        ),
    ] = ""
    # Kite knows the address by the application's settings, so that it cannot be any free port.
    redirect_port: Annotated[
        int,
        within_bounds(
            1_024,
            65_535,
            "Port on the loopback interface that the browser comes back to after the login.",
        ),
    ] = 8765
    static_ip: Annotated[
        str, described_as("Address registered with the broker for orders; empty: none is known.")
    ] = ""
    bind_ip: Annotated[
        str,
        described_as(
            "Address of this machine that requests leave from, where it has several; empty: the "
            "system chooses."
        ),
    ] = ""
    environment: Annotated[
        bool,
        described_as(
            "Whether proxies and CA files count that the environment names (HTTPS_PROXY, "
            "SSL_CERT_FILE and their like)."
        ),
    ] = False
    demat: Annotated[
        Literal["auto", "standing", "daily"],
        described_as(
            "What the account's holdings need to be sold. standing: nothing, there is a DDPI or "
            "POA; daily: the day's authorisation (CDSL TPIN), and what lacks it counts as naked; "
            "auto: what the profile says, standing where it says nothing."
        ),
    ] = "auto"
    algo_id: Annotated[
        str,
        matching_pattern(
            r"^([A-Za-z0-9_-]{1,32})?$",
            "an id of letters and digits, or empty",
            "Id of a registered algorithm, sent with every order; empty: none.",
        ),
    ] = ""
    market_protection: Annotated[
        float,
        within_bounds(
            -1,
            100,
            "Percent of the price a market order may move where it names no protection; -1: the "
            "broker's bands.",
        ),
    ] = -1.0
    timeout_s: Annotated[
        float,
        within_bounds(0.5, 60, "Patience with one request; afterwards its outcome is unknown."),
    ] = 7.0
    workers: Annotated[
        int,
        within_bounds(
            4, 16, "Requests under way at the same time, half of them changes, half reads."
        ),
    ] = 4

    def __repr__(self) -> str:
        return f"Broker(name={self.name!r}, rest={self.rest!r})"

    @property
    def is_real(self) -> bool:
        """Tell whether it is a broker, and no sandbox."""
        return self.name != "sandbox"

    def key(self, environ: Mapping[str, str]) -> str:
        """Return the API key, from the environment where a variable is named.

        Raise `ConfigError`.
        """
        return _literal_or_variable(self.api_key, "broker.api_key_env", self.api_key_env, environ)

    def credentials(self, environ: Mapping[str, str]) -> tuple[str, str]:
        """Return (api key, access token), from the environment where a variable is named.

        Raise `ConfigError`.
        """
        return (
            self.key(environ),
            _literal_or_variable(
                self.access_token, "broker.access_token_env", self.access_token_env, environ
            ),
        )


class SandboxSettings(Struct, frozen=True, kw_only=True):
    """The embedded exchange."""

    seed: Annotated[
        int, within_bounds(0, 2**63 - 1, "Number from which the whole day follows.")
    ] = 7
    speed: Annotated[
        float,
        within_bounds(
            0, 10_000, "Times real time; 0: as fast as the desk can follow, in lockstep."
        ),
    ] = 1.0
    date: Annotated[
        str,
        matching_pattern(
            r"^(\d{4}-\d{2}-\d{2})?$",
            'a date as "2026-11-20", or empty',
            "The day it plays; empty: the latest trading day.",
        ),
    ] = ""
    start: Annotated[
        str,
        matching_pattern(
            r"^(([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?)?$",
            'a time as "09:15", or empty',
            "When it begins, IST; empty: when the day opens.",
        ),
    ] = ""
    symbols: Annotated[
        Symbols, described_as("Its instruments; empty: twenty large NSE stocks.")
    ] = ()
    cash: Annotated[int, within_bounds(1, 1_000 * CRORE, "Rupees on its account at the start.")] = (
        1_000_000
    )
    port: Annotated[
        int, within_bounds(0, 65_535, "Port on the loopback interface; 0: any free one.")
    ] = 0


class PaperSettings(Struct, frozen=True, kw_only=True):
    """The simulated exchange of paper trading, and of the twins in shadow."""

    cash: Annotated[
        int, within_bounds(1, 1_000 * CRORE, "Rupees on the paper account when it is opened.")
    ] = 1_000_000
    latency_ms: Annotated[
        int,
        within_bounds(0, 10_000, "Way of a request to the exchange, and of a report back; each."),
    ] = 40
    slippage_ticks: Annotated[
        int,
        within_bounds(
            0,
            100,
            "Ticks a taking order loses where the feed shows no order book; with one, the book "
            "decides.",
        ),
    ] = 1
    slippage: Annotated[
        str,
        described_as(
            "FILE.py:CLASS of a slippage model of your own, in place of these ticks; in backtests "
            "too."
        ),
    ] = ""
    fees: Annotated[
        str,
        described_as(
            "FILE.py:CLASS that changes the charges, on paper and in backtests; a real account is "
            "charged as the broker charges."
        ),
    ] = ""


class MarketSettings(Struct, frozen=True, kw_only=True):
    """The market's hours."""

    confirmed: Annotated[
        tuple[
            Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", title='a date as "2026-12-07"')],
            ...,
        ],
        described_as(
            "Days from which new hours hold, by an official notice you have read yourself; until "
            "then the desk does only what "
            "is right under the old hours and the new ones. `patang calendar` names them."
        ),
    ] = ()
    upstox: Annotated[
        str,
        matching_pattern(
            addresses.REST,
            'a URL as "https://host" and nothing after it, or empty',
            "Address of Upstox's API for `patang calendar --check`; empty: its own.",
        ),
    ] = ""


class FeedSettings(Struct, frozen=True, kw_only=True):
    """Market data."""

    stale_after_s: Annotated[
        float, within_bounds(1, 600, "Silence after which an instrument gets no new entries.")
    ] = 10.0
    late_after_s: Annotated[
        float,
        within_bounds(
            2,
            600,
            "Age by the exchange's stamp (whole seconds) from which a tick is too late to enter "
            "at, or to move a stop by.",
        ),
    ] = 10.0
    dead_after_s: Annotated[
        float,
        within_bounds(
            6,
            60,
            "Silence, heartbeats included, after which a connection is dropped and made anew; "
            "a broker's come every few seconds.",
        ),
    ] = 10.0
    spans_s: Annotated[
        tuple[Span, ...],
        Meta(
            min_length=1,
            max_length=16,
            description="Lengths of the bars that are built, ascending, multiples of the first.",
        ),
    ] = (60, 180, 300, 900, 1800, 3600)
    bands_every_s: Annotated[
        float,
        within_bounds(
            1,
            600,
            "Time between readings of the price bands of what is held or near an edge of its band.",
        ),
    ] = 30.0
    watch: Annotated[
        Symbols,
        described_as("Instruments to subscribe, indices too; empty: every share that is listed."),
    ] = ()
    mode: Annotated[
        Literal["full", "quote", "ltp"],
        described_as(
            "What is sent of what is only watched, traded by no strategy: all (184 bytes a "
            "packet), without depth (44), the price (8)."
        ),
    ] = "full"
    quote: Annotated[
        Symbols, described_as("Further instruments, only watched, whose quote is sent.")
    ] = ()
    ltp: Annotated[
        Symbols, described_as("Further instruments, only watched, whose last price is sent.")
    ] = ()
    record: Annotated[
        bool,
        described_as(
            "Whether everything the feed sends is kept, as it came; never in lockstep, which can "
            "be run again."
        ),
    ] = False
    record_days: Annotated[
        int, within_bounds(1, 3_650, "Calendar days that recordings are kept.")
    ] = 30
    record_gb: Annotated[
        float,
        within_bounds(
            0.1, 10_000, "Gigabytes of a mode's recordings in all; of more the oldest are removed."
        ),
    ] = 20.0


class GovernorSettings(Struct, frozen=True, kw_only=True):
    """The account's order budget; the bounds are the exchanges' and the broker's."""

    # Ten a second is the exchange's bound for an account; the default stands one below.
    orders_per_second: Annotated[
        int, within_bounds(1, 10, "Requests to the order endpoints in any second.")
    ] = 9
    orders_per_minute: Annotated[int, within_bounds(1, 400, "The same in any minute.")] = 380
    orders_per_day: Annotated[int, within_bounds(1, 5_000, "New orders in a day.")] = 4_800
    modifies_per_order: Annotated[int, within_bounds(1, 25, "Modifications of one order.")] = 24
    reserve_per_second: Annotated[
        int, within_bounds(0, 9, "Part of each second's budget that only exits may use.")
    ] = 3


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """The search for the outcome of a request."""

    settle_s: Annotated[
        float,
        within_bounds(
            1, 300, "Least age of a request with unknown outcome that may be declared lost."
        ),
    ] = 5.0
    lookup_every_s: Annotated[
        float, within_bounds(0.5, 60, "Time between look-ups of such a request by its tag.")
    ] = 2.0
    lookups: Annotated[
        int, within_bounds(2, 100, "Look-ups without a trace before it is declared lost.")
    ] = 5
    entry_wait_s: Annotated[
        float,
        within_bounds(
            0.5, 60, "Longest an entry waits for the governor before it is dropped as stale."
        ),
    ] = 5.0
    late_s: Annotated[
        int,
        within_bounds(
            10,
            600,
            "How long after it was sent a request without a trace may still arrive and be carried "
            "out.",
        ),
    ] = 60
    poll_s: Annotated[
        float, within_bounds(1, 300, "Time between readings of the order and GTT books.")
    ] = 7.0
    positions_every_s: Annotated[
        float, within_bounds(5, 3_600, "Time between comparisons of all books with the broker.")
    ] = 15.0


class ReconcileSettings(Struct, frozen=True, kw_only=True):
    """The comparison of the broker's books with ours."""

    funds_bound: Annotated[
        int,
        within_bounds(
            1,
            10 * CRORE,
            "Rupees by which the broker's cash may differ from ours before entries are held back.",
        ),
    ] = 5_000
    stop_percent: Annotated[
        float,
        within_bounds(
            0.25, 50, "Stop of shares that are adopted, below their last price at that moment."
        ),
    ] = 5.0
    trail: Annotated[bool, described_as("Whether that stop follows the price.")] = False
    edited_stop: Annotated[
        Literal["tighter", "desk"],
        described_as(
            "Which stop stands where somebody else has changed one of ours: the nearer to the "
            "price, or always ours."
        ),
    ] = "tighter"


class ExitSettings(Struct, frozen=True, kw_only=True):
    """The escalation of a resting exit; always within the band as it stands."""

    patience_s: Annotated[
        int, within_bounds(1, 600, "Rest of an exit before its limit is moved.")
    ] = 10
    widen_percent: Annotated[
        float, within_bounds(0.1, 20, "Step by which it is moved away from the last price.")
    ] = 1.0
    reach_percent: Annotated[
        float, within_bounds(0.1, 20, "Farthest it is moved from the last price.")
    ] = 5.0


class RiskSettings(Struct, frozen=True, kw_only=True):
    """Limits checked before every entry; reaching a loss limit halts the desk."""

    max_order_value: Annotated[int, within_bounds(1, 10 * CRORE, "Rupees in one order.")] = 200_000
    max_exposure: Annotated[
        int, within_bounds(1, 1_000 * CRORE, "Rupees in all positions together.")
    ] = 240_000
    max_positions: Annotated[
        int, within_bounds(1, 10_000, "Positions at the same time, each rung counted.")
    ] = 90
    max_positions_per_symbol: Annotated[
        int, within_bounds(1, 100, "The same in one instrument.")
    ] = 6
    max_trades_per_day: Annotated[int, within_bounds(1, 5_000, "Entries in a day.")] = 2_000
    max_daily_loss: Annotated[
        int, within_bounds(1, 1_000 * CRORE, "Rupees lost today, charges included.")
    ] = 10_000
    max_drawdown: Annotated[
        int, within_bounds(1, 1_000 * CRORE, "Rupees below the day's highest P&L.")
    ] = 20_000
    max_consecutive_losses: Annotated[
        int, within_bounds(0, 1_000, "Losing trades in a row; 0: not limited.")
    ] = 0
    max_symbol_exposure: Annotated[
        int,
        within_bounds(
            0, 1_000 * CRORE, "Rupees in the positions of one instrument; 0: not limited."
        ),
    ] = 0
    max_orders_per_minute: Annotated[
        int,
        within_bounds(
            0, 400, "Entries of one strategy in any minute; 0: only the governor limits them."
        ),
    ] = 0
    strategy_daily_loss: Annotated[
        int,
        within_bounds(
            0,
            1_000 * CRORE,
            "Rupees one strategy may lose today before it is stopped; 0: not limited.",
        ),
    ] = 0
    strategy_drawdown: Annotated[
        int,
        within_bounds(0, 1_000 * CRORE, "Rupees below its own best of the day; 0: not limited."),
    ] = 0
    strategy_consecutive_losses: Annotated[
        int, within_bounds(0, 1_000, "Its losing trades in a row; 0: not limited.")
    ] = 0
    square_off_before_s: Annotated[
        float,
        within_bounds(
            0,
            7_200,
            "Before the broker's own square-off, intraday (MIS) positions are left and no more "
            "are taken.",
        ),
    ] = 120.0
    price_range_percent: Annotated[
        float,
        within_bounds(
            0.1, 50, "Farthest an order's price may stand from the last price, in percent."
        ),
    ] = 5.0
    budget: Annotated[
        dict[str, Annotated[int, Meta(ge=1, le=1_000 * CRORE)]],
        described_as(
            "Rupees a strategy may have in positions, by its name; a strategy without a line has "
            "no budget of its own."
        ),
    ] = {}


class WatchdogSettings(Struct, frozen=True, kw_only=True):
    """The watchdog beside the engine; its worst findings latch the kill switch."""

    engine_s: Annotated[
        float,
        within_bounds(
            0, 600, "Seconds the engine may stand still before the desk halts; 0: for ever."
        ),
    ] = 10.0
    feed_s: Annotated[
        float,
        within_bounds(0, 3_600, "Seconds without any market data before an alarm; 0: never."),
    ] = 30.0
    clock_s: Annotated[
        float,
        within_bounds(
            0,
            3_600,
            "Seconds the machine's clock may jump, either way, before the desk halts; 0: any.",
        ),
    ] = 2.0
    disk_mb: Annotated[
        int,
        within_bounds(
            0, 10**9, "Megabytes that must be free where the desk writes, else it halts."
        ),
    ] = 100
    memory_mb: Annotated[
        int, within_bounds(0, 10**6, "Megabytes the desk may hold before an alarm; 0: any.")
    ] = 2_000


class StoreSettings(Struct, frozen=True, kw_only=True):
    """The data kept on disk."""

    database: Annotated[
        str, described_as("SQLite file; empty: in the mode's folder below state_dir.")
    ] = ""
    bars_dir: Annotated[
        str, described_as("Folder of the bars; empty: in the mode's folder below state_dir.")
    ] = ""
    bars: Annotated[bool, described_as("Whether bars are stored.")] = True
    backend: Annotated[
        str,
        described_as(
            "Where bars are kept: parquet, files of this machine, or a server that others read as "
            "well (postgres)."
        ),
    ] = "parquet"
    dsn: Annotated[
        str,
        described_as(
            'Which Postgres, as "host=db dbname=patang user=desk"; a password stands in '
            "~/.pgpass, never here."
        ),
    ] = ""
    dsn_env: Annotated[
        str, described_as("Environment variable with the whole of it instead, password included.")
    ] = ""
    history_dir: Annotated[
        str,
        described_as(
            "Folder of imported and downloaded bars, of every mode; empty: below state_dir."
        ),
    ] = ""
    cache_mb: Annotated[
        int,
        within_bounds(
            0,
            10**7,
            "Megabytes of bars that backtests keep ready for the next, below state_dir; 0: none.",
        ),
    ] = 2_000


class ArchiveSettings(Struct, frozen=True, kw_only=True):
    """S3-compatible storage for old bars and recordings.

    Its credentials stand in the environment or the keyring, never here.
    """

    bucket: Annotated[
        str,
        matching_pattern(
            r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$",
            "a bucket's name, or empty",
            "The bucket, which exists; empty: no archive.",
        ),
    ] = ""
    endpoint: Annotated[
        str,
        matching_pattern(
            addresses.ROOT,
            'a URL as "https://host:port" and nothing after it, or empty',
            "Address of the storage; empty: Amazon's, of the region.",
        ),
    ] = ""
    region: Annotated[
        str,
        matching_pattern(r"^[a-z0-9-]{1,32}$", 'a region as "ap-south-1"', "The bucket's region."),
    ] = "ap-south-1"
    prefix: Annotated[
        str,
        matching_pattern(
            r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$",
            'names with "/" between',
            "Where in the bucket; each history has its own.",
        ),
    ] = "patang"
    days: Annotated[
        int,
        within_bounds(
            31,
            3_650,
            "Age in days from which `patang bars archive push` takes bars, by whole months (bars "
            "of days: years).",
        ),
    ] = 100
    recording_days: Annotated[
        int, within_bounds(2, 3_650, "The same of recordings, by day; less than feed.record_days.")
    ] = 100
    cache_mb: Annotated[
        int,
        within_bounds(
            10,
            10**7,
            "Megabytes of archived bars, and of recordings, that are kept on this disk to be read.",
        ),
    ] = 2_000


class ScreenSettings(Struct, frozen=True, kw_only=True):
    """The screen."""

    theme: Annotated[
        Literal["auto", "dark", "light", "high-contrast", "colour-blind", "ansi-16"],
        described_as(
            "Colours of the screen; auto: dark, light where the terminal says that its ground is "
            "(`COLORFGBG`), ansi-16 where it has no more colours than that."
        ),
    ] = "auto"
    direction: Annotated[
        Literal["green-up", "red-up", "blue-up"],
        described_as("Colours of rising and falling prices; blue-up: blue and orange."),
    ] = "green-up"
    density: Annotated[
        Literal["comfortable", "compact"],
        described_as("How close things stand; compact: one line of header, no empty ones."),
    ] = "comfortable"
    fps: Annotated[int, within_bounds(1, 30, "Frames a second.")] = 10
    keys: Annotated[
        dict[str, str],
        described_as("Keys by action, instead of the usual ones; the kill switch stays."),
    ] = {}


class DeskConfig(Struct, frozen=True, kw_only=True):
    """Everything that can be set."""

    desk: DeskSettings = DeskSettings()
    broker: BrokerSettings = BrokerSettings()
    sandbox: SandboxSettings = SandboxSettings()
    paper: PaperSettings = PaperSettings()
    market: MarketSettings = MarketSettings()
    feed: FeedSettings = FeedSettings()
    governor: GovernorSettings = GovernorSettings()
    gateway: GatewaySettings = GatewaySettings()
    exits: ExitSettings = ExitSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    risk: RiskSettings = RiskSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    store: StoreSettings = StoreSettings()
    archive: ArchiveSettings = ArchiveSettings()
    ui: ScreenSettings = ScreenSettings()
    scoring: ScoringSettings = ScoringSettings()
    promotion: PromotionSettings = PromotionSettings()
    # Any: the engine knows no strategy by name; each brings the struct of its own parameters.
    strategy: dict[str, Any] = {}
    """A table for each strategy: its struct where its parameters are known, else as it stands."""


def _literal_or_variable(literal: str, key: str, variable: str, environ: Mapping[str, str]) -> str:
    if not variable:
        return literal
    if not environ.get(variable):
        raise ConfigError(f"{key}: the environment variable {variable} is not set")
    return environ[variable]
