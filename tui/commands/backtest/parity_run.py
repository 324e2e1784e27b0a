"""Run a desk's day again as a backtest, and compare the two."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, final

from compiled.model.values import MINUTE as MINUTE_NS
from compiled.model.values import NEVER, SECOND
from compiled.trading.strategy import Strategy
from engine.backtest import run_identity
from engine.backtest.backtest_run import BacktestRun
from engine.backtest.parity.attribution import NOBODY, DayParity, compare_days, split_parity
from engine.backtest.parity.backtested_day import backtest_day_of
from engine.backtest.parity.bar_prices import differing_starts
from engine.backtest.parity.day_records import BacktestDay, DeskDay
from engine.backtest.parity.difference_causes import CAUSES, LOOKS_BACK
from engine.backtest.parity.heard_bars import are_alike, unrecorded_time
from engine.backtest.parity.parity_curves import ParityCurves, parity_curves
from engine.config.schema import DeskConfig
from engine.errors import NothingFound
from engine.history.bar_series import BarSeries
from store.backtest_results import ParityDay
from store.journal_day import KeptDay, kept_day, last_day
from tui.commands.backtest.parity_backtest import DayBacktest
from tui.commands.backtest.parity_bars import LIVE, TICKS, ParityBars, desk_bars, kept_bars
from tui.commands.backtest.tick_days import RecordedDay, recorded_day
from tui.run.run_records import database_of_day, latest_database
from tui.run.settings import calendar_of, settings_of, strategies_of

Day = TypeVar("Day", DeskDay, BacktestDay)
SPARE: Final = 2 * MINUTE_NS
"""How long a desk may have run without its recording (ns): an opening takes its time."""


class ParityRequest(NamedTuple):
    """Request for parity: empty texts are the configured mode and its last run's last day.

    `bars` is `ticks` (what the desk has recorded), a recording's name (MODE/DAY/RUN), `live` (the
    bars it saw), `history` (those a backtest reads) or a version of the history; empty: ticks,
    where there are any.
    """

    mode: str
    day: date | None = None
    database: Path | None = None
    bars: str = ""
    folder: Path | None = None


class StrategyParity(NamedTuple):
    """The part of one strategy in a comparison."""

    parity: DayParity
    curves: ParityCurves


class ParityResult(NamedTuple):
    """Result of parity; `bars` names those the backtest read, `warnings` are about it.

    `strategies` are its parts, by name.
    """

    mode: str
    day: date
    database: Path
    bars: str
    parity: DayParity
    curves: ParityCurves
    strategies: dict[str, StrategyParity]
    warnings: list[str]


def parity_rows(result: ParityResult) -> list[ParityDay]:
    """Return a comparison as the store keeps it: the whole desk, then its strategies."""
    parts = {"": StrategyParity(result.parity, result.curves)} | result.strategies
    return [_parity_row(result, name, *part) for name, part in parts.items()]


def _parity_row(
    result: ParityResult, strategy: str, found: DayParity, made: ParityCurves
) -> ParityDay:
    # a cause that is added needs a column, and would not unpack here
    data, timing, fill, twin, cost, operator, broker, code, unexplained = (
        found.causes[name] for name in CAUSES
    )
    return ParityDay(
        result.mode,
        str(result.day),
        percent=found.percent,
        same=found.matched.same,
        decisions=len(found.matched.decisions),
        desk=found.desk,
        backtest=found.backtest,
        data=data,
        timing=timing,
        fill=fill,
        cost=cost,
        operator=operator,
        broker=broker,
        code=code,
        unexplained=unexplained,
        correlation=made.correlation,
        distance=made.distance,
        bars=result.bars,
        database=str(result.database),
        twin=twin,
        inferred=found.inferred,
        strategy=strategy,
    )


class ReplayedDay(NamedTuple):
    """The day as a backtest: on which `bars`, called how, and as the desk has `heard` them.

    The latter is None where they are the same.
    """

    backtest: BacktestRun
    bars: Mapping[str, BarSeries]
    version: str
    heard: BacktestDay | None


@final
class ParityRun:
    """One day from the journal to the comparison."""

    def __init__(self, config: DeskConfig, request: ParityRequest) -> None:
        self._config = config
        self._request = request
        self._calendar = calendar_of(config)
        self._warnings: list[str] = []

    def execute(self) -> ParityResult:
        """Read, run and compare; raise `PatangError` for whatever is not right."""
        request, config = self._request, self._config
        path = request.database or (
            latest_database(config, request.mode)
            if request.day is None
            else database_of_day(config, request.mode, request.day)
        )
        day = request.day or last_day(path)
        store = desk_bars(config, request.mode, path)
        # the journal values what is still held by these
        kept = kept_day(path, day, kept_bars(store, day))
        if kept.carried:
            self._warnings.append(f"held from days before, and left out: {', '.join(kept.carried)}")
        ran = (
            kept.ran[0]
            if kept.ran
            else settings_of(config, strategies_of(config), config.feed.watch)
        )
        if not kept.ran:
            self._warnings.append(
                "the journal does not say with what the desk ran: the configuration is taken"
            )
        again = DayBacktest(config, request.mode, day, kept, ran)
        read = ParityBars(config, day, store, request.folder, self._warnings)
        strategies = again.strategies()
        spans = {each.span for each in strategies.values()}
        recorded = self._whole_recording(kept, day)
        # beside a recording, and where it turns out to be of another run
        wanted = LIVE if recorded is not None else request.bars or LIVE
        series, version = read.of_backtest(wanted, kept, spans)
        found = None
        if recorded is not None:
            found = self._on_ticks(again, kept, recorded, series)
        if found is None:
            found = self._on_bars(again, kept, read, series, version)
        backtest = found.backtest
        for failure in backtest.failures:
            self._warnings.append(f"in the backtest {failure.strategy} failed: {failure.error}")
        if not backtest.warmed_sessions:
            self._warnings.append(
                "no bars of the session before: the backtest's strategies begin with nothing"
            )
        done = backtest_day_of(
            backtest,
            found.bars,
            self._known_differences(kept.ran, ran, strategies),
            cold=_cold_until(backtest, kept.opened, spans),
            # only a history goes on where the desk did not
            until=kept.ended if found.version in {LIVE, TICKS} else NEVER,
        )
        parity = compare_days(kept.day, done, found.heard)
        return ParityResult(
            request.mode,
            day,
            database=path,
            bars=found.version,
            parity=parity,
            curves=parity_curves(kept.day, done),
            strategies={
                name or NOBODY: StrategyParity(
                    part, parity_curves(_day_part(kept.day, name), _day_part(done, name))
                )
                for name, part in split_parity(parity).items()
            },
            warnings=self._warnings,
        )

    def _whole_recording(self, kept: KeptDay, day: date) -> RecordedDay | None:
        """Return what the desk has recorded; None where it has not, or not all of it."""
        wanted = self._request.bars
        named = "/" in wanted
        if wanted not in {"", TICKS} and not named:
            return None
        try:
            recorded = recorded_day(self._config, self._request.mode, day, wanted if named else "")
        except NothingFound:
            if wanted:
                raise
            return None
        missing = unrecorded_time(
            recorded.stretches,
            kept.opened,
            kept.ended,
            kept.day.incidents,
            self._calendar.session(day),
        )
        if not wanted and missing > SPARE:
            self._warnings.append(
                f"the recording of the day lacks {missing // MINUTE_NS} minutes that the desk ran: "
                "its bars are taken; --bars ticks takes the recording all the same"
            )
            return None
        return recorded

    def _on_ticks(
        self,
        again: DayBacktest,
        kept: KeptDay,
        recorded: RecordedDay,
        series: Mapping[str, BarSeries],
    ) -> ReplayedDay | None:
        """Run the day on a recording; None where it is of another run of the desk."""
        first = recorded.stretches[0][0]
        warm = {name: bars.pick(bars.start + MINUTE_NS <= first) for name, bars in series.items()}
        backtest = again.on_ticks(recorded, warm)
        made = dict(backtest.series)
        if not are_alike(kept.seen, made):
            if self._request.bars:
                raise NothingFound(f"the recording of {recorded.day} is of another run of the desk")
            self._warnings.append("the recording of the day is of another run: bars are taken")
            return None
        # where it was silent, the journal says why
        self._warnings += recorded.remarks
        return ReplayedDay(backtest, made, TICKS, None)

    def _on_bars(
        self,
        again: DayBacktest,
        kept: KeptDay,
        read: ParityBars,
        series: Mapping[str, BarSeries],
        version: str,
    ) -> ReplayedDay:
        backtest = again.on_bars(series)
        heard = read.with_today(series, kept.day.bars)
        same = all(
            heard[name] is series[name] or not len(differing_starts(heard[name], series[name]))
            for name in series
        )
        on_heard = (
            None if same else backtest_day_of(again.on_bars(heard), read.today(heard), {}, cold=0)
        )
        return ReplayedDay(backtest, read.today(series), version, on_heard)

    def _known_differences(
        self,
        opened: Sequence[Mapping[str, Any]],
        ran: Mapping[str, Any],
        strategies: Mapping[str, Strategy],
    ) -> dict[str, str]:
        """Return each strategy's known differences from the desk, patang's own as a warning."""
        # a remark only: what of it changes a decision, nobody can tell from here
        if opened and opened[0]["code"] != run_identity.code_hash():
            self._warnings.append("the desk ran with another version of patang")
        found: dict[str, str] = {}
        for name, strategy in strategies.items():
            if opened and opened[0]["sources"].get(name) != run_identity.source_hash(strategy):
                found[name] = "the strategy's source is another than the desk's"
            # started again in the day, it may have gone on with other parameters
            for later in opened[1:]:
                if later["strategies"].get(name) != ran["strategies"][name]:
                    found[name] = "the desk was started again with other parameters"
        return found


def _day_part(day: Day, strategy: str) -> Day:
    return day._replace(trips=[trip for trip in day.trips if trip.strategy == strategy])


def _cold_until(backtest: BacktestRun, opened: int, spans: Collection[int]) -> int:
    """Return until when (ns) strategies lack the history a backtest had none of.

    The desk has heard them since `opened` (ns). As many bars as a difference is felt for.
    """
    if backtest.warmed_sessions:
        return 0
    begun = max(int(backtest.opens[0]), opened)
    return begun + LOOKS_BACK * max(spans) * SECOND
