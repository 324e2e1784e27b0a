"""Results of backtests in one SQLite file.

A run is its manifest, metrics, days, round trips and findings.

A run is written in one transaction, manifest and all: there is no half result, and none without its
manifest.
"""

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import msgspec
import numpy as np

from engine.backtest.linter.result_linter import LinterFinding
from engine.backtest.parity.difference_causes import CAUSES
from engine.backtest.run_outcome import DailyColumns, RoundTrip, RunManifest, RunOutcome
from engine.backtest.statistics.run_metrics import RunMetric
from engine.config.kept_names import LAST, find_kept
from engine.errors import DataError, NothingFound, OperatorError, in_words
from engine.history.bar_series import Floats, Ints
from store.schema import BUSY_MS, refusal

SCHEMA: Final = 4
TABLES: Final = """
CREATE TABLE IF NOT EXISTS backtest_runs (
    run TEXT PRIMARY KEY, made TEXT NOT NULL, name TEXT NOT NULL, first TEXT NOT NULL,
    last TEXT NOT NULL,
    symbols INTEGER NOT NULL, trades INTEGER NOT NULL, net INTEGER NOT NULL, gross INTEGER NOT NULL,
    charges INTEGER NOT NULL, sharpe REAL, drawdown REAL, verdict TEXT NOT NULL,
    partial INTEGER NOT NULL,
    digest TEXT NOT NULL, bars INTEGER NOT NULL, orders INTEGER NOT NULL, costs TEXT NOT NULL,
    refused TEXT NOT NULL,
    manifest TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS backtest_metrics (
    run TEXT NOT NULL REFERENCES backtest_runs ON DELETE CASCADE, key TEXT NOT NULL,
    label TEXT NOT NULL,
    unit TEXT NOT NULL, value ANY, place INTEGER NOT NULL, PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS backtest_equity (
    run TEXT NOT NULL REFERENCES backtest_runs ON DELETE CASCADE, day INTEGER NOT NULL,
    equity INTEGER NOT NULL,
    gross INTEGER NOT NULL, charges INTEGER NOT NULL, exposure INTEGER NOT NULL,
    turnover INTEGER NOT NULL,
    closed INTEGER NOT NULL, benchmark REAL, market REAL, PRIMARY KEY (run, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS backtest_curves (
    run TEXT PRIMARY KEY REFERENCES backtest_runs ON DELETE CASCADE, moments INTEGER NOT NULL,
    packed BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS backtest_trades (
    run TEXT NOT NULL REFERENCES backtest_runs ON DELETE CASCADE, number INTEGER NOT NULL,
    strategy TEXT NOT NULL,
    symbol TEXT NOT NULL, side INTEGER NOT NULL, ladder INTEGER NOT NULL, rung INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    entry_ts INTEGER NOT NULL, entry_price REAL NOT NULL, exit_ts INTEGER NOT NULL,
    exit_price REAL NOT NULL,
    gross INTEGER NOT NULL, charges INTEGER NOT NULL, slippage INTEGER NOT NULL,
    mae INTEGER NOT NULL, mfe INTEGER NOT NULL,
    entry_reason TEXT NOT NULL, exit_reason TEXT NOT NULL, PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS backtest_findings (
    run TEXT NOT NULL REFERENCES backtest_runs ON DELETE CASCADE, rule TEXT NOT NULL,
    label TEXT NOT NULL,
    status TEXT NOT NULL, severity INTEGER NOT NULL, value REAL, finding TEXT NOT NULL,
    why TEXT NOT NULL,
    mend TEXT NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (run, rule)
) STRICT, WITHOUT ROWID;
"""
PARITY: Final = """
CREATE TABLE parity_days (
    mode TEXT NOT NULL, date TEXT NOT NULL, percent REAL NOT NULL, same INTEGER NOT NULL,
    decisions INTEGER NOT NULL,
    desk INTEGER NOT NULL, backtest INTEGER NOT NULL, data INTEGER NOT NULL,
    timing INTEGER NOT NULL, fill INTEGER NOT NULL,
    cost INTEGER NOT NULL, operator INTEGER NOT NULL, broker INTEGER NOT NULL,
    code INTEGER NOT NULL, unexplained INTEGER NOT NULL,
    correlation REAL, distance REAL NOT NULL, bars TEXT NOT NULL, database TEXT NOT NULL,
    twin INTEGER NOT NULL, inferred INTEGER NOT NULL, strategy TEXT NOT NULL,
    PRIMARY KEY (mode, date, strategy)
) STRICT, WITHOUT ROWID;
"""
# of version 2, which had the whole desk alone
OLD_PARITY: Final = f"""
ALTER TABLE parity_days RENAME TO old_parity_days;
{PARITY}
INSERT INTO parity_days SELECT *, 0, 0, '' FROM old_parity_days;
DROP TABLE old_parity_days;
"""  # noqa: S608  our own text
CHECKS: Final = """
CREATE TABLE backtest_notes (
    run TEXT PRIMARY KEY REFERENCES backtest_runs ON DELETE CASCADE, note TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE bias_checks (
    name TEXT PRIMARY KEY, made TEXT NOT NULL, verdict TEXT NOT NULL, about TEXT NOT NULL,
    stopped INTEGER NOT NULL, sources TEXT NOT NULL, findings TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
STEPS: Final = {0: PARITY + CHECKS, 2: OLD_PARITY + CHECKS, 3: CHECKS}
"""What brings a file of an earlier version to this one, beside the tables that all have."""
RECENT: Final = """
SELECT r.run, r.made, r.name, r.first, r.last, r.symbols, r.trades, r.net, r.sharpe, r.drawdown,
    r.verdict, r.partial, r.digest,
    CASE WHEN r.symbols <= 3 THEN json_extract(r.manifest, '$.symbols') ELSE '[]' END,
    (SELECT value FROM backtest_metrics WHERE run = r.run AND key = 'sessions'),
    (SELECT value FROM backtest_metrics WHERE run = r.run AND key = 'deflated_sharpe'),
    ifnull((SELECT note FROM backtest_notes WHERE run = r.run), '')
FROM backtest_runs r ORDER BY r.run DESC LIMIT ?
"""
FINDING: Final = ("rule", "label", "status", "severity", "value", "finding", "why", "mend")


class StoredRun(NamedTuple):
    """A run of the list.

    `net` in paise, `drawdown` in percent, `verdict` of the linter in one line.
    """

    run: str
    made: str
    name: str
    first: str
    last: str
    symbols: int
    trades: int
    net: int
    sharpe: float | None
    drawdown: float | None
    verdict: str
    partial: int
    digest: str


class ListedRun(NamedTuple):
    """A run of the list with more of it: `symbols` by name where they are few, and its note.

    `luck` is the deflated Sharpe ratio, 0 to 1; None where it is not defined.
    """

    stored: StoredRun
    symbols: list[str]
    sessions: int
    luck: float | None
    note: str


class BiasCheck(NamedTuple):
    """The last bias check of strategies, known by their `name`; `made` is ISO UTC.

    `sources` are the hashes of the strategies that were checked.
    """

    name: str
    made: str
    verdict: str
    about: str
    stopped: bool
    sources: dict[str, str]
    findings: list[LinterFinding]


class ParityDay(NamedTuple):
    """Comparison of the desk of a mode with a backtest, on one day.

    P&L and causes in paise; `causes` add up to `desk` less `backtest`. `inferred` is how much of
    either sign is put down to a cause that nothing on record shows. `strategy` is whose part it is,
    empty for the whole desk.
    """

    mode: str
    date: str
    percent: float
    same: int
    decisions: int
    desk: int
    backtest: int
    data: int
    timing: int
    fill: int
    cost: int
    operator: int
    broker: int
    code: int
    unexplained: int
    correlation: float | None
    distance: float
    bars: str
    database: str
    twin: int = 0
    inferred: int = 0
    strategy: str = ""

    @property
    def causes(self) -> dict[str, int]:
        """Return the difference by cause."""
        found = (
            self.data,
            self.timing,
            self.fill,
            self.twin,
            self.cost,
            self.operator,
            self.broker,
            self.code,
            self.unexplained,
        )
        return dict(zip(CAUSES, found, strict=True))


class StoredResult(NamedTuple):
    """Everything that is kept of a run."""

    outcome: RunOutcome
    metrics: list[RunMetric]
    findings: list[LinterFinding]


@final
class ResultStore:
    """The results in one file, which the first that is kept makes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(
        self,
        outcome: RunOutcome,
        metrics: Sequence[RunMetric],
        findings: Sequence[LinterFinding],
        verdict: str,
    ) -> None:
        """Store a run.

        Raise `OperatorError`, and store nothing of it, where the file cannot be written.
        """
        manifest, daily, run = outcome.manifest, outcome.daily, outcome.manifest.run
        values = {each.key: each.value for each in metrics}
        row = (
            run,
            manifest.made,
            manifest.name,
            manifest.first,
            manifest.last,
            len(manifest.symbols),
            sum(not each.is_open for each in outcome.trades),
            outcome.net,
            int(daily.gross[-1]) - manifest.start_cash,
            int(daily.charges.sum()),
            values.get("sharpe"),
            values.get("max_drawdown"),
            verdict,
            manifest.partial,
            manifest.digest,
            outcome.bars,
            outcome.orders,
            _as_json(dict(outcome.costs)),
            _as_json(dict(outcome.refused)),
            _as_json(manifest),
        )
        # NaN is no value in SQLite
        days = zip(*(_nullable_values(column) for column in daily), strict=True)
        with self._write_transaction() as database:
            _insert_rows(database, "backtest_runs", [row])
            _insert_rows(
                database,
                "backtest_metrics",
                [(run, *each, place) for place, each in enumerate(metrics)],
            )
            _insert_rows(database, "backtest_equity", [(run, *each) for each in days])
            _insert_rows(
                database,
                "backtest_curves",
                [(run, len(outcome.times), pack_curve(outcome.times, outcome.curve))],
            )
            _insert_rows(database, "backtest_trades", [(run, *each) for each in outcome.trades])
            _insert_rows(
                database,
                "backtest_findings",
                [(run, *each, place) for place, each in enumerate(findings)],
            )

    def runs(self) -> list[StoredRun]:
        """Return the runs, the newest first."""
        return [
            StoredRun(*row)
            for row in self._read_rows("backtest_runs", StoredRun._fields, "run DESC")
        ]

    def recent(self, most: int) -> list[ListedRun]:
        """Return so many runs at most, the newest first, with what the screen lists of them."""
        if not self.path.exists():
            return []
        self._bring_up()
        return [
            ListedRun(
                StoredRun(*row[:13]), msgspec.json.decode(row[13]), int(row[14] or 0), *row[15:]
            )
            for row in self._select_rows(RECENT, most)
        ]

    def keep_note(self, run: str, note: str) -> None:
        """Keep a note on a run by its whole number, in place of the one before; "" drops it.

        Raise `NothingFound` where there is no such run.
        """
        if not self._select_rows("SELECT 1 FROM backtest_runs WHERE run = ?", run):
            raise NothingFound(f"no result {run} in {self.path}")
        with self._write_transaction() as database:
            database.execute("DELETE FROM backtest_notes WHERE run = ?", (run,))
            if note:
                _insert_rows(database, "backtest_notes", [(run, note)])

    def keep_check(self, check: BiasCheck) -> None:
        """Store a bias check in place of the one before of the same strategies."""
        # of several checks of one strategy the last one counts
        row = (*check[:4], int(check.stopped), _as_json(check.sources), _as_json(check.findings))
        with self._write_transaction() as database:
            database.execute("DELETE FROM bias_checks WHERE name = ?", (check.name,))
            _insert_rows(database, "bias_checks", [row])

    def checks(self) -> list[BiasCheck]:
        """Return the last bias check of each set of strategies, the newest first."""
        if not self.path.exists():
            return []
        self._bring_up()
        rows = self._read_rows("bias_checks", BiasCheck._fields, "made DESC")
        return [
            BiasCheck(
                name,
                made,
                verdict,
                about,
                stopped=bool(stopped),
                sources=msgspec.json.decode(sources),
                findings=msgspec.json.decode(findings, type=list[LinterFinding]),
            )
            for name, made, verdict, about, stopped, sources, findings in rows
        ]

    def remove_check(self, name: str) -> None:
        """Remove the bias check of strategies by their name."""
        with self._write_transaction() as database:
            database.execute("DELETE FROM bias_checks WHERE name = ?", (name,))

    def find(self, text: str) -> str:
        """Return the run whose number begins so, or the `last`.

        Raise `NothingFound` where there is none, or several.
        """
        found = [each.run for each in self.runs()]
        if not found and text == LAST:
            raise NothingFound(f"no results in {self.path}: see patang backtest")
        return find_kept(text, found, "result")

    def load(self, run: str) -> StoredResult:
        """Return a run by its whole number.

        Raise `NothingFound`, or `DataError` for what cannot be read.
        """
        rows = self._select_rows(
            "SELECT manifest, costs, refused, bars, orders FROM backtest_runs WHERE run = ?", run
        )
        if not rows:
            raise NothingFound(f"no result {run} in {self.path}")
        text, costs, refused, bars, orders = rows[0]
        try:
            manifest = msgspec.json.decode(text, type=RunManifest)
            counted = [msgspec.json.decode(each, type=dict[str, int]) for each in (costs, refused)]
        except msgspec.DecodeError as error:
            raise DataError(f"{self.path}, result {run}: {in_words(error)}") from error
        daily = _daily_columns(self._read_rows("backtest_equity", DailyColumns._fields, "day", run))
        trades = self._read_rows("backtest_trades", RoundTrip._fields, "number", run)
        metrics = self._read_rows("backtest_metrics", RunMetric._fields, "place", run)
        found = self._read_rows("backtest_findings", FINDING, "place", run)
        # exactly one: it is written with its run
        [curve] = self._read_rows("backtest_curves", ("moments", "packed"), "moments", run)
        times, worth = unpack_curve(*curve)
        outcome = RunOutcome(
            manifest,
            daily,
            times=times,
            curve=worth,
            trades=[RoundTrip(*row) for row in trades],
            costs=counted[0],
            refused=counted[1],
            bars=int(bars),
            orders=int(orders),
        )
        return StoredResult(
            outcome, [RunMetric(*row) for row in metrics], [LinterFinding(*row) for row in found]
        )

    def keep_parity(self, days: Sequence[ParityDay]) -> None:
        """Store how a day compared, the whole desk and its strategies, in place of an earlier time.

        Raise `OperatorError` where the file cannot be written.
        """
        with self._write_transaction() as database:
            database.executemany(
                # one comparison a day: the last one is the one that counts
                "DELETE FROM parity_days WHERE (mode, date) = (?, ?)",
                [(day.mode, day.date) for day in days],
            )
            _insert_rows(database, "parity_days", days)

    def parity_days(self, mode: str = "", strategy: str = "") -> list[ParityDay]:
        """Return the days that were compared, the newest first.

        They are those of one mode or of all, and of the whole desk or of a strategy.
        """
        if not self.path.exists():
            return []
        self._bring_up()
        rows = self._read_rows("parity_days", ParityDay._fields, "date DESC, mode")
        found = map(ParityDay._make, rows)
        return [day for day in found if (day.mode, day.strategy) == (mode or day.mode, strategy)]

    def remove(self, runs: Sequence[str]) -> None:
        """Remove runs by their whole numbers."""
        with self._write_transaction() as database:
            database.executemany(
                "DELETE FROM backtest_runs WHERE run = ?", [(run,) for run in runs]
            )

    def _bring_up(self) -> None:
        # a file of an earlier version has not all tables yet
        with closing(self._open_file(write=True)):
            pass

    @contextmanager
    def _write_transaction(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction.

        Raise `OperatorError` where it cannot be written; then nothing of it is.
        """
        with closing(self._open_file(write=True)) as database:
            try:
                with database:
                    yield database
            except sqlite3.Error as error:
                raise refusal(self.path, error) from error

    def _read_rows(
        self, table: str, columns: Sequence[str], order: str, run: str = ""
    ) -> list[tuple[Any, ...]]:
        only = "WHERE run = ?" if run else ""
        statement = f"SELECT {', '.join(columns)} FROM {table} {only} ORDER BY {order}"  # noqa: S608  our own names
        return self._select_rows(statement, *([run] if run else []))

    def _select_rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        with closing(self._open_file(write=False)) as database:
            try:
                return database.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise refusal(self.path, error) from error

    def _open_file(self, *, write: bool) -> sqlite3.Connection:
        try:
            if write:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # whoever reads undoes what a killed process has left half written
            mode = "rwc" if write else "rw"
            name = f"{self.path.absolute().as_uri()}?mode={mode}"
            database = sqlite3.connect(name, uri=True, timeout=BUSY_MS / 1_000)
        except OSError as error:
            raise OperatorError(f"cannot write in {self.path.parent}: {in_words(error)}") from None
        except sqlite3.Error as error:
            raise refusal(self.path, error) from error
        try:
            # SQLite leaves them off; with them the parts of a run go with it
            database.execute("PRAGMA foreign_keys = ON")
            [(version,)] = database.execute("PRAGMA user_version").fetchall()
            # whoever only reads must not need the right to write
            if write and version < SCHEMA:
                step = STEPS.get(version, STEPS[0])
                database.executescript(
                    f"BEGIN; {TABLES} {step} PRAGMA user_version = {SCHEMA}; COMMIT"
                )
        except sqlite3.Error as error:
            database.close()
            raise refusal(self.path, error) from error
        # a later version may keep what this one would misread
        if version > SCHEMA:
            database.close()
            raise OperatorError(
                f"{self.path} is of a newer patang: get that, or set another desk.state_dir"
            )
        return database


def pack_curve(times: Ints, worth: Ints) -> bytes:
    """Return a curve as what each of its points adds to the one before."""
    # times are even and worth moves little: differences, byte by byte, compress well
    steps = np.concatenate([np.diff(column, prepend=0) for column in (times, worth)])
    return zlib.compress(steps.astype("<i8").view(np.uint8).reshape(-1, 8).T.tobytes(), 1)


def unpack_curve(moments: int, content: bytes) -> tuple[Ints, Ints]:
    """Return the times and worths that `pack_curve` was given."""
    columns = (
        np.frombuffer(zlib.decompress(content), np.uint8)
        .reshape(8, -1)
        .T.copy()
        .view("<i8")
        .reshape(2, moments)
    )
    return np.cumsum(columns[0]), np.cumsum(columns[1])


def _nullable_values(column: Ints | Floats) -> list[object]:
    """Return an array's values, None for those that are no number."""
    return [
        None if missing else value
        for value, missing in zip(column.tolist(), np.isnan(column), strict=True)
    ]


def _insert_rows(
    database: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]]
) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608  our own names


def _daily_columns(rows: Sequence[Sequence[float | None]]) -> DailyColumns:
    columns = list(zip(*rows, strict=True)) or [()] * len(DailyColumns._fields)
    # paise are whole; only the benchmark and the market may lack a value
    day, equity, gross, charges, exposure, turnover, closed = (
        np.array(column, np.int64) for column in columns[:7]
    )
    # None becomes NaN
    benchmark, market = (np.array(column, np.float64) for column in columns[7:])
    return DailyColumns(
        day,
        equity,
        gross=gross,
        charges=charges,
        exposure=exposure,
        turnover=turnover,
        closed=closed,
        benchmark=benchmark,
        market=market,
    )


def _as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
