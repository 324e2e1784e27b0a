"""An evaluation: what promoted strategies did at the desk, beside what their trials promised."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, final

import numpy as np

from compiled.trading.strategy import Strategy
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, PatangError
from engine.history.bar_series import Floats
from engine.indian_time import INDIA
from engine.market.calendar import ist_day
from engine.promotion.next_day_file import NextDayFile, PromotedStrategy
from engine.promotion.promotion_log import PromotionRecord
from engine.research.demotion_rules import (
    EvaluatedFacts,
    RuleOutcome,
    broken_rules,
    demotion_rules,
)
from engine.research.evidence.monte_carlo import ChanceSpread
from engine.research.evidence.promised_paths import PromisedPaths
from engine.research.realised_days import (
    RealisedFigures,
    SessionResult,
    drawdown_of,
    promised_pnl,
    realised_figures,
)
from store.backtest_results import ParityDay
from store.strategy_trips import StrategyTrips
from strategies import build
from tui.commands.backtest.backtest_job import results_of
from tui.commands.backtest.parity_bars import desk_bars, kept_bars
from tui.commands.backtest.parity_run import ParityRequest, ParityRun, parity_rows
from tui.run.run_records import databases_of, state_folder
from tui.run.session import OWN_EXCHANGE
from tui.run.settings import calendar_of, check_source, check_timeframes

SEED: Final = 1
MOST_COMPARED: Final = 10
"""Sessions that one evaluation compares with a backtest: each takes seconds."""


class EvaluationPeriod(NamedTuple):
    """The sessions that are looked at, both days included; from each promotion on without `first`.

    `name` is empty for all there are.
    """

    first: date | None
    last: date
    name: str = ""


class PromiseCheck(NamedTuple):
    """A promise in paise: what it expects of as many sessions, its drawdown, what luck explains.

    `band` is of shape (2, sessions). Without sessions there is nothing luck could explain.
    """

    expected: float
    day: float
    drawdown: float
    spread: ChanceSpread | None = None
    drawdown_spread: ChanceSpread | None = None
    band: Floats | None = None


class StrategyEvaluation(NamedTuple):
    """One strategy: its sessions, their figures beside the promise, and what the rules say.

    `week` is None where the period was chosen. `gone` says since when it is not promoted any more;
    no rule is asked then. `compared` has the parity of its sessions.
    """

    promoted: PromotedStrategy
    sessions: list[SessionResult]
    trading_days: int
    figures: RealisedFigures
    week: RealisedFigures | None
    promise: PromiseCheck | None
    compared: dict[date, ParityDay]
    rules: list[RuleOutcome]
    gone: str = ""

    @property
    def broken(self) -> list[RuleOutcome]:
        """Return the rules that demote it."""
        return broken_rules(self.rules)

    @property
    def uncompared(self) -> list[date]:
        """Return its sessions without parity."""
        return [each.day for each in self.sessions if each.day not in self.compared]


class GoneStrategy(NamedTuple):
    """A strategy that was promoted once: until when, and by which record it went."""

    promoted: PromotedStrategy
    last: date
    text: str


@final
class EvaluationJob:
    """An evaluation of a mode's promoted strategies over its journals."""

    def __init__(
        self, config: DeskConfig, mode: str, now: int, period: EvaluationPeriod | None
    ) -> None:
        """Read the journals; `now` in ns UTC. Raise `OperatorError` for one that is lost."""
        self._config = config
        self._mode = mode
        self._today = ist_day(now)
        self._period = period
        self._calendar = calendar_of(config)
        self.warnings: list[str] = []
        self._journals: dict[date, StrategyTrips] = {}
        for path in databases_of(config, mode):
            journal = StrategyTrips(path)
            # of a day that was run twice the last run counts, as for parity
            self._journals |= {day: journal for day in journal.ran if day not in self._journals}
        if self._today in self._journals and self._is_open(now):
            del self._journals[self._today]
            self.warnings.append(f"the session of {self._today} is not over: it is left out")
        self._parities: dict[tuple[str, Path], ParityDay] = {}
        self._read_parities()

    def evaluate(
        self, file: NextDayFile, records: Sequence[PromotionRecord], *, every: bool
    ) -> list[StrategyEvaluation]:
        """Return the evaluation of what a file promotes; of `every` one that ever was, if asked."""
        found = [self._evaluation(each, records, self._today, file=file) for each in file.promoted]
        gone = gone_strategies(file, records) if every else []
        return found + [
            self._evaluation(each.promoted, records, each.last, gone=each.text) for each in gone
        ]

    def compare_missing(self, evaluations: Sequence[StrategyEvaluation]) -> int:
        """Compare sessions that nobody has compared, the newest first; return how many are left."""
        days = sorted({day for each in evaluations for day in each.uncompared}, reverse=True)
        for day in days[:MOST_COMPARED]:
            request = ParityRequest(self._mode, day, self._journals[day].path)
            try:
                result = ParityRun(self._config, request).execute()
            except PatangError as error:
                self.warnings.append(f"{day} cannot be compared: {error}")
                continue
            results_of(self._config).keep_parity(parity_rows(result))
        self._read_parities()
        return len(days[MOST_COMPARED:])

    def _is_open(self, now: int) -> bool:
        # the days of an exchange of our own end whenever it does
        session = None if self._mode in OWN_EXCHANGE else self._calendar.session(self._today)
        return session is not None and now < session.close

    def _read_parities(self) -> None:
        kept = results_of(self._config).parity_days(self._mode)
        self._parities = {(each.date, Path(each.database)): each for each in kept}

    def _evaluation(
        self,
        each: PromotedStrategy,
        records: Sequence[PromotionRecord],
        until: date,
        *,
        file: NextDayFile | None = None,
        gone: str = "",
    ) -> StrategyEvaluation:
        since = _day_of_promotion(each)
        # days of an exchange of our own may lie before the promotion: they are asked for by name
        first = (self._period and self._period.first) or since
        last = self._period.last if self._period else until
        sessions = [
            found
            for found in self._sessions_of(each, min(since, first), last)
            if found.day >= first
        ]
        budget = each.budget * 100
        figures = realised_figures(sessions, budget)
        compared = {
            found.day: row
            for found in sessions
            if (row := self._parities.get((str(found.day), self._journals[found.day].path)))
        }
        promise = _promise_check(each, records, figures, [found.net for found in sessions])
        facts = EvaluatedFacts(
            figures,
            each.promise,
            luck=promise.spread if promise else None,
            promised_drawdown=promise.drawdown if promise else 0.0,
            # a day without a decision is like its backtest whatever the two are
            parities=[row.percent for row in compared.values() if row.decisions],
            since=since,
            today=self._today,
            fault=self._fault_of(each, file) if file else "",
        )
        return StrategyEvaluation(
            each,
            sessions,
            len(self._calendar.trading_days(first, min(last, self._today))),
            figures,
            None if self._period else realised_figures(self._week_of(sessions), budget),
            promise,
            compared,
            [] if gone else demotion_rules(facts, self._config.promotion),
            gone,
        )

    def _week_of(self, sessions: Sequence[SessionResult]) -> list[SessionResult]:
        year_and_week = self._today.isocalendar()[:2]
        return [each for each in sessions if each.day.isocalendar()[:2] == year_and_week]

    def _fault_of(self, each: PromotedStrategy, file: NextDayFile) -> str:
        try:
            strategy: Strategy = build(each.name, each.table)
            check_timeframes([strategy], self._config.feed.spans_s)
            check_source(strategy, file, state_folder(self._config, self._mode))
        except PatangError as error:
            return str(error)
        return ""

    def _sessions_of(
        self, each: PromotedStrategy, first: date, last: date
    ) -> Iterator[SessionResult]:
        """Yield the sessions in which a strategy was there with the parameters of its promotion."""
        days = [
            day
            for day, journal in sorted(self._journals.items())
            if first <= day <= last and any(_ran_as_promoted(ran, each) for ran in journal.ran[day])
        ]
        by_journal: dict[Path, list[date]] = {}
        for day in days:
            by_journal.setdefault(self._journals[day].path, []).append(day)
        found = [
            result for own in by_journal.values() for result in self._journal_sessions(each, own)
        ]
        yield from sorted(found)

    def _journal_sessions(
        self, each: PromotedStrategy, days: Sequence[date]
    ) -> Iterator[SessionResult]:
        journal = self._journals[days[0]]
        net, left = 0, set[int]()
        for day in days:
            trips = journal.evening(each.name, day, days[0], {})
            if any(trip.shares_held for trip in trips):
                store = desk_bars(self._config, self._mode, journal.path)
                trips = journal.evening(each.name, day, days[0], kept_bars(store, day))
            own = [trip for trip in trips if ist_day(trip.entry.ts) in days]
            closed = {trip.rung: trip.net for trip in own if not trip.shares_held}
            total = sum(trip.net for trip in own)
            yield SessionResult(
                day,
                total - net,
                tuple(closed[rung] for rung in closed if rung not in left),
                sum(ist_day(trip.entry.ts) == day for trip in own),
            )
            net, left = total, left | set(closed)


def gone_strategies(file: NextDayFile, records: Sequence[PromotionRecord]) -> list[GoneStrategy]:
    """Return every trial that was promoted once and is not in a file, the last to go first."""
    there = {(each.name, each.origin.trial) for each in file.promoted}
    found: dict[tuple[str, str], GoneStrategy] = {}
    before: Mapping[tuple[str, str], PromotedStrategy] = {}
    for record in records:
        after = {(each.name, each.origin.trial): each for each in record.after.promoted}
        day = datetime.fromisoformat(record.made).astimezone(INDIA).date()
        text = f"gone since {day}, {record.act} {record.number}"
        for key, each in before.items():
            if key not in after:
                reasons = record.reason.split("; ") if record.act == "demotion" else []
                own = [reason for reason in reasons if reason.startswith(f"{each.name}: ")]
                found[key] = GoneStrategy(each, day, "; ".join([text, *own]))
        before = after
    return [each for key, each in reversed(found.items()) if key not in there]


def week_of(day: date) -> EvaluationPeriod:
    """Return the week of a day, Monday to Sunday, by its ISO name."""
    monday = day - timedelta(days=day.weekday())
    return EvaluationPeriod(monday, monday + timedelta(days=6), f"{day:%G-W%V}")


def _day_of_promotion(each: PromotedStrategy) -> date:
    try:
        return date.fromisoformat(each.origin.since)
    except ValueError:
        raise ConfigError(
            f"{each.name}: since {each.origin.since}: expected YYYY-MM-DD; promote it again"
        ) from None


def _promise_check(
    each: PromotedStrategy,
    records: Sequence[PromotionRecord],
    figures: RealisedFigures,
    pnl: Sequence[int],
) -> PromiseCheck | None:
    returns = next(
        (
            trial.returns
            for record in reversed(records)
            for trial in record.trials
            if (trial.name, trial.trial) == (each.name, each.origin.trial) and trial.returns
        ),
        [],
    )
    if not returns or not each.promise.cash:
        return None
    promised = promised_pnl(returns, each.promise.cash)
    day = float(promised.mean())
    check = PromiseCheck(day * figures.sessions, day, drawdown_of(promised))
    if not figures.sessions:
        return check
    paths = PromisedPaths(promised, figures.sessions, SEED)
    fall = drawdown_of(np.array(pnl, dtype=np.float64))
    return check._replace(
        spread=paths.spread(figures.net, figures.sessions),
        drawdown_spread=paths.drawdown_spread(fall),
        band=paths.band(),
    )


def _ran_as_promoted(ran: Mapping[str, Any], each: PromotedStrategy) -> bool:
    """Return whether a desk ran a strategy as it was promoted, by what it wrote at its opening."""
    table = ran.get("strategies", {}).get(each.name)
    if table is None:
        return False
    # an older opening of the same day may have had the name with other parameters
    same = all(
        table[key] == (list(value) if isinstance(value, tuple) else value)
        for key, value in each.table.items()
        if key in table
    )
    return same and ran.get("sources", {}).get(each.name, each.origin.code) == each.origin.code
