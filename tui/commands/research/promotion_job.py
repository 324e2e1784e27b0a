"""A promotion: a sweep's chosen trials, their checks, their budgets, and the file to be."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple, final

import msgspec
import pandas as pd

from engine.config.schema import DeskConfig
from engine.errors import ConfigError
from engine.numbers import count
from engine.promotion.next_day_file import (
    NextDayFile,
    PromotedStrategy,
    TrialOrigin,
    TrialPromise,
    next_day_of,
)
from engine.promotion.promotion_log import (
    PromotedTrial,
    PromotionLog,
    PromotionRecord,
    PromotionStep,
)
from engine.research.scoring import YEAR
from engine.research.sweep_study import ChosenTrial, SweepStudy
from engine.research.trials import PORTFOLIO
from store.trial_journal import TrialJournal
from strategies.parameters import parameters_kind, read_parameters
from strategies.strategy_sources import factory, full_source
from tui.commands.research.sweep_job import SweepJob
from tui.commands.research.sweep_manifest import SweepOutcome, read_sweep_request, sweeps_folder
from tui.commands.research.sweep_output import study_outcome
from tui.commands.research.sweep_shelf import SweepShelf
from tui.commands.research.trial_checks import (
    PlannedTrial,
    TrialChecks,
    budget_step,
    capital_of,
    passed,
    sweep_steps,
)

AT_ONCE: Final = ("table", "scores")
"""Steps after which the next one is looked at in any case: it takes no time."""
Tell = Callable[[str, PromotionStep], None]
"""Told a trial's name, empty for the sweep's, and a step as soon as it is done."""


class CheckedTrial(NamedTuple):
    """A trial and the steps it went through."""

    plan: PlannedTrial
    steps: list[PromotionStep]

    @property
    def failures(self) -> list[PromotionStep]:
        """Return the steps that failed."""
        return [each for each in self.steps if each.verdict == "fail"]


class PlannedPromotion(NamedTuple):
    """A promotion that is ready to be written: the file there is, the file to be, the trials."""

    sweep: str
    old: NextDayFile
    new: NextDayFile
    trials: list[CheckedTrial]
    """Those that were looked at, promoted or not."""
    taken: list[str]
    """Names of those that are promoted."""
    days: list[date]
    whole: list[PromotionStep]
    """Steps of the sweep as a whole."""


@final
class PromotionJob:
    """A promotion from a sweep's name to the file that it comes to."""

    def __init__(
        self, config: DeskConfig, sweep: str, today: date, force: str, *, alone: bool
    ) -> None:
        if not config.promotion.budget:
            raise ConfigError(
                "promotion.budget is 0, nothing is promoted: set it to the rupees that everything "
                "promoted may have in positions together"
            )
        self.config = config
        self.today = today
        self.force = force
        self.alone = alone
        shelf = SweepShelf(sweeps_folder(config))
        self.sweep = shelf.find(sweep)
        with TrialJournal(shelf.folder / self.sweep).lock():
            self._outcome = shelf.load(self.sweep)
        self.request = read_sweep_request(self._outcome.manifest)
        self._cash = self.request.backtest.cash or config.paper.cash
        self._sweep = SweepJob(config, self.request)
        if self._sweep.folder.name != self.sweep:
            raise ConfigError(
                f"sweep {self.sweep} was renamed or is of another patang: sweep again"
            )

    def plan(self, old: NextDayFile, tell: Tell) -> PlannedPromotion:
        """Check the sweep and its chosen trials; return what would be written."""
        outcome = self._outcome
        self._sweep.check_basis(outcome.manifest)
        whole = sweep_steps(outcome, self.config, self.request.backtest, self.today)
        for step in whole:
            tell("", step)
        if self._is_refused(whole):
            return PlannedPromotion(self.sweep, old, old, [], [], outcome.manifest.days, whole)
        study = study_outcome(outcome, self.config.scoring, outcome.manifest.study, "")
        plans = self._planned_trials(study, outcome)
        checks = TrialChecks(self.config, self.request.backtest, outcome)
        kept = [
            each
            for each in old.promoted
            if not self.alone and each.origin.strategy not in self._sweep.tables
        ]
        self._check_kept(kept, self._equal_part(len(kept) + 1))
        trials = [self._checked_trial(plan, checks, len(kept), tell) for plan in plans]
        self._fit_budget(kept, trials, tell)
        taken = [each for each in trials if not self._is_refused(each.steps)]
        part = self._equal_part(len(kept) + len(taken))
        new = [each._replace(budget=part) for each in kept]
        new += [self._promoted_strategy(each, outcome, part, whole, old) for each in taken]
        after = next_day_of(new, old.number) if taken else old
        names = [each.plan.name for each in taken]
        return PlannedPromotion(self.sweep, old, after, trials, names, outcome.manifest.days, whole)

    def _checked_trial(
        self, plan: PlannedTrial, checks: TrialChecks, beside: int, tell: Tell
    ) -> CheckedTrial:
        steps: list[PromotionStep] = []
        used = self.config.strategy | self.config.risk.budget
        for step in checks.steps(plan, used, beside):
            steps.append(step)
            tell(plan.name, step)
            # The later steps take minutes, and nothing they find would let it pass.
            if step.step not in AT_ONCE and self._is_refused(steps):
                break
        return CheckedTrial(plan, steps)

    def _is_refused(self, steps: Sequence[PromotionStep]) -> bool:
        return any(each.verdict == "fail" and not (self.force and each.forceable) for each in steps)

    def _planned_trials(self, study: SweepStudy, outcome: SweepOutcome) -> list[PlannedTrial]:
        """Return the trials that the scoring chose; the best alone, where it chose none."""
        table: pd.DataFrame = study.scores.trials
        reasons = dict(zip(table["trial"], table["reason"], strict=True))
        names: Counter[str] = Counter()
        plans = []
        for each in study.chosen or [study.best]:
            name = _desk_name(each)
            names[name] += 1
            plans.append(
                PlannedTrial(
                    name if names[name] == 1 else f"{name}_{names[name]}",
                    each,
                    self._table_of(each, outcome),
                    reason=str(reasons[each.name]),
                    is_chosen=bool(study.chosen),
                )
            )
        return plans

    def _table_of(self, chosen: ChosenTrial, outcome: SweepOutcome) -> dict[str, Any]:
        trial = chosen.row.trial
        table = self._sweep.tables[trial.strategy] | trial.parameters
        symbols = outcome.manifest.symbols if trial.symbol == PORTFOLIO else [trial.symbol]
        kind = parameters_kind(factory(trial.strategy, table))
        # defaults too: what is promoted stays what it is when the author's change
        every = msgspec.to_builtins(read_parameters(trial.strategy, kind, table))
        own = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in every.items()
            if key not in {"enabled", "symbols"} and value is not None
        }
        return {"source": full_source(trial.strategy, table), "symbols": list(symbols), **own}

    def _equal_part(self, count: int) -> int:
        return self.config.promotion.budget // max(count, 1)

    def _fit_budget(
        self, kept: Sequence[PromotedStrategy], trials: Sequence[CheckedTrial], tell: Tell
    ) -> None:
        """Give each an equal part; leave out, the last first, what spends more than its part.

        Raise `ConfigError` where one that stays from before would.
        """
        left = [each for each in trials if not self._is_refused(each.steps)]
        while left:
            part = self._equal_part(len(kept) + len(left))
            wanted = [each for each in left if capital_of(each.plan.table) > part]
            if not wanted:
                break
            most = max(capital_of(each.plan.table) for each in wanted)
            step = budget_step(wanted[-1].plan.table, part, most * (len(kept) + len(left)))
            wanted[-1].steps.append(step)
            tell(wanted[-1].plan.name, step)
            left.remove(wanted[-1])
        part = self._equal_part(len(kept) + len(left))
        for each in left:
            step = passed("budget", f"{count(part)} rupees, {len(kept) + len(left)} in all")
            each.steps.append(step)
            tell(each.plan.name, step)
        if left:
            self._check_kept(kept, part)

    def _check_kept(self, kept: Sequence[PromotedStrategy], part: int) -> None:
        """Raise `ConfigError` where one that stays from before spends more than its part."""
        for old in kept:
            if capital_of(old.table) > part:
                raise ConfigError(
                    f"{old.name} stays from before, and its capital of "
                    f"{count(capital_of(old.table))} rupees exceeds its part of {count(part)}: "
                    "raise promotion.budget, or say --replace"
                )

    def _promoted_strategy(
        self,
        each: CheckedTrial,
        outcome: SweepOutcome,
        part: int,
        whole: Sequence[PromotionStep],
        old: NextDayFile,
    ) -> PromotedStrategy:
        plan, row = each.plan, each.plan.chosen.row
        was_forced = bool(each.failures) or any(step.verdict == "fail" for step in whole)
        origin = TrialOrigin(
            sweep=self.sweep,
            trial=row.name,
            strategy=row.trial.strategy,
            score=plan.chosen.score,
            why=plan.reason,
            first=str(outcome.manifest.days[0]),
            last=str(outcome.manifest.days[-1]),
            since=str(self.today),
            code=outcome.manifest.basis.sources[row.trial.strategy],
            forced=self.force if was_forced else "",
        )
        before = old.origin.get(plan.name)
        # What is promoted again trades on: it has been there since it first was.
        if before is not None and before.trial == origin.trial:
            origin = before
        return PromotedStrategy(
            plan.name, plan.table, part, origin, promise_of(plan.chosen, self._cash)
        )


def promise_of(chosen: ChosenTrial, cash: int) -> TrialPromise:
    """Return the figures of a trial that began with so many rupees.

    A return of a year is not compounded, as in the scores.
    """
    metrics = chosen.row.result.metrics

    def figure(key: str, unit: float = 1.0) -> float:
        return (metrics.get(key) or 0.0) / unit

    sessions = max(int(figure("sessions")), 1)
    return TrialPromise(
        sessions=sessions,
        annual_return=figure("return", 100.0) * YEAR / sessions,
        sharpe=figure("sharpe"),
        win_rate=figure("win_rate", 100.0),
        max_drawdown=abs(figure("max_drawdown", 100.0)),
        trades_a_day=figure("trades") / sessions,
        cash=cash,
    )


def record_of(plan: PlannedPromotion, log: PromotionLog, force: str) -> PromotionRecord:
    """Return the record of a promotion that is about to be written."""
    days = [str(day) for day in plan.days]
    trials = [
        PromotedTrial(
            name=each.plan.name,
            trial=each.plan.chosen.name,
            promoted=there,
            steps=[*plan.whole, *each.steps],
            days=days if there else [],
            returns=each.plan.chosen.row.result.daily.tolist() if there else [],
        )
        for each in plan.trials
        for there in [each.plan.name in plan.taken]
    ]
    # what is written anew over a broken file is no state of its own to go back from
    state = log.state_after(plan.old.number) if plan.new == plan.old else None
    return log.next_record(
        "promotion",
        plan.old,
        plan.new.promoted,
        now=datetime.now(UTC),
        sweep=plan.sweep,
        reason=force,
        state=state,
        trials=trials,
    )


def _desk_name(chosen: ChosenTrial) -> str:
    """Return a trial's name at the desk: strategy, symbol and seconds of its bars."""
    trial = chosen.row.trial
    symbol = "all" if trial.symbol == PORTFOLIO else trial.symbol
    text = f"{trial.strategy}_{symbol}_{chosen.row.timeframe}".lower()
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")
