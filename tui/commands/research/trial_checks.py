"""The checks of a trial before it is promoted: each a step with its outcome and the reason."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final, NamedTuple, final

from msgspec.structs import replace

from engine.backtest.loaded_bars import LoadedBars
from engine.backtest.run_bars import days_of
from engine.config.schema import DeskConfig
from engine.errors import PatangError
from engine.numbers import count, counted
from engine.promotion.promotion_log import PromotionStep
from engine.research.sweep_study import ChosenTrial
from engine.research.sweep_tables import verdict_text
from engine.research.trials import PORTFOLIO
from engine.texts import first_names
from strategies import build
from tui.commands.backtest.backtest_job import BacktestJob, BacktestResult
from tui.commands.backtest.backtest_request import BacktestRequest
from tui.commands.backtest.bias_check_job import BiasCheckJob
from tui.commands.research.sweep_manifest import SweepOutcome
from tui.run.settings import check_timeframes

MOMENTS: Final = 8
"""Moments at which the bias suite tries other futures, as many as `patang check` takes."""
SEED: Final = 1
INTERRUPTED: Final = "stopped before its end"


class PlannedTrial(NamedTuple):
    """A trial under the name it would have at the desk, with its table there."""

    name: str
    chosen: ChosenTrial
    table: dict[str, Any]
    reason: str
    """Why the scoring has chosen it, or why not."""
    is_chosen: bool


def passed(step: str, text: str) -> PromotionStep:
    """Return a step that went well."""
    return PromotionStep(step=step, verdict="pass", text=text)


def failed(step: str, text: str, *, forceable: bool = True) -> PromotionStep:
    """Return a step that did not."""
    return PromotionStep(step=step, verdict="fail", text=text, forceable=forceable)


def capital_of(table: Mapping[str, Any]) -> int:
    """Return the rupees that a strategy spends by its own parameters, 0 where it has none.

    `total_capital` is of all its positions, `capital` of one: it may have one in each symbol.
    """
    if total := table.get("total_capital"):
        return int(total)
    return int(table.get("capital") or 0) * len(table["symbols"])


def budget_step(table: Mapping[str, Any], part: int, budget: int) -> PromotionStep:
    """Return the failure of what spends more than its part; `budget` would do for all."""
    return failed(
        "budget",
        f"its capital of {count(capital_of(table))} rupees exceeds its part of {count(part)}: set "
        f"promotion.budget to {count(budget)}, or sweep with less capital",
        forceable=False,
    )


def sweep_steps(
    outcome: SweepOutcome, config: DeskConfig, request: BacktestRequest, today: date
) -> list[PromotionStep]:
    """Check a sweep as a whole: finished, of recent days; its basis was compared before."""
    done, are = counted(len(outcome.rows), "trial"), "is" if len(outcome.rows) == 1 else "are"
    steps = [
        passed("sweep", f"{done}, all that were asked for")
        if not outcome.is_partial
        else failed("sweep", f"{done} {are} done, more were asked for: run the same sweep again")
    ]
    last, most = outcome.manifest.days[-1], config.promotion.max_age_days
    age = (today - last).days
    held = " (--to)" if request.last else ""
    steps.append(
        passed("age", f"up to {last}, {age} days ago")
        if age <= most
        else failed(
            "age",
            f"up to {last}, {age} days ago{held}; promotion.max_age_days allows {most}: sweep with "
            "newer bars",
        )
    )
    return [
        *steps,
        passed("basis", "code, sources, settings and bars are still those of the sweep"),
    ]


@final
class TrialChecks:
    """The steps of one trial after the other, over bars that are read once."""

    def __init__(self, config: DeskConfig, request: BacktestRequest, outcome: SweepOutcome) -> None:
        self._config = config
        self._request = request
        self._outcome = outcome
        self._loaded: LoadedBars | None = None

    def steps(
        self, plan: PlannedTrial, taken: Mapping[str, object], beside: int
    ) -> Iterator[PromotionStep]:
        """Yield a trial's steps, the cheap ones first, each when it is done.

        `taken` has the names that the configuration uses itself; `beside` so many strategies it
        would trade at least, with which it shares the budget.
        """
        yield self._table_step(plan, taken)
        yield (passed("scores", plan.reason) if plan.is_chosen else failed("scores", plan.reason))
        verdict = verdict_text(plan.chosen)
        yield passed("luck", verdict) if plan.chosen.is_believed else failed("luck", verdict)
        part, capital = self._config.promotion.budget // (beside + 1), capital_of(plan.table)
        if capital > part:
            yield budget_step(plan.table, part, capital * (beside + 1))
        yield from _guarded_steps("backtest", lambda: self._backtest_steps(plan))
        yield from _guarded_steps("bias", lambda: [self._bias_step(plan)])

    def _table_step(self, plan: PlannedTrial, taken: Mapping[str, object]) -> PromotionStep:
        if plan.name in taken:
            return failed(
                "table",
                f"{plan.name} stands in the configuration as well: rename it there",
                forceable=False,
            )
        try:
            check_timeframes([build(plan.name, plan.table)], self._config.feed.spans_s)
        except PatangError as error:
            return failed("table", str(error), forceable=False)
        return passed("table", f"[strategy.{plan.name}] can be made")

    def _backtest_steps(self, plan: PlannedTrial) -> list[PromotionStep]:
        result = self._result_of(plan)
        digest = result.outcome.manifest.digest
        if digest != plan.chosen.row.result.digest:
            return [
                failed(
                    "backtest",
                    f"run again it decides otherwise (digest {digest[:12]}, in the sweep "
                    f"{plan.chosen.row.result.digest[:12]}): it is not reproducible",
                    forceable=False,
                )
            ]
        bad = [each.label.lower() for each in result.findings if each.status == "fail"]
        return [
            passed("backtest", f"run again it is the same, digest {digest[:12]}"),
            failed("linter", first_names(bad)) if bad else passed("linter", result.verdict),
        ]

    def _result_of(self, plan: PlannedTrial) -> BacktestResult:
        trial = plan.chosen.row.trial
        job = BacktestJob(self._config_of(plan), self._request_of(plan))
        span = self._outcome.manifest.span
        if self._loaded is None:
            self._loaded = job.load_bars(span)
        # as the sweep's workers do: read with all its symbols, then cut down to those of the trial
        whole = job.prepare_loaded(job.cut_bars(self._loaded, span), span)
        names = [name for name in whole.loaded.series if trial.symbol in {PORTFOLIO, name}]
        market = whole.market._replace(
            instruments={name: whole.market.instruments[name] for name in names}
        )
        if trial.symbol != PORTFOLIO:
            series = [whole.loaded.series[name] for name in names]
            market = market.on_days(days_of(series, market.days[0], market.days[-1]))
        prepared = whole._replace(
            symbols={trial.strategy: ()},
            loaded=LoadedBars(
                {name: whole.loaded.series[name] for name in names},
                {name: whole.loaded.manifests[name] for name in names},
                list(whole.loaded.warnings),
            ),
            market=market,
        )
        result = job.run_prepared(prepared, job.strategies())
        if job.was_stopped:
            raise KeyboardInterrupt(INTERRUPTED)
        return result

    def _bias_step(self, plan: PlannedTrial) -> PromotionStep:
        trial = plan.chosen.row.trial
        request = self._request_of(plan)
        if trial.symbol != PORTFOLIO:
            request = request._replace(symbols=(trial.symbol,))
        checking = BiasCheckJob(self._config_of(plan), request, MOMENTS, SEED)
        found = [each.finding for each in checking.execute()]
        told = [f"{each.label.lower()} ({each.text})" for each in found if each.status == "warn"]
        if checking.was_stopped:
            raise KeyboardInterrupt(INTERRUPTED)
        if bad := [
            f"{each.label.lower()} ({each.text})" for each in found if each.status == "fail"
        ]:
            return failed("bias", first_names(bad, 2), forceable=False)
        ran = sum(each.status != "not run" for each in found)
        warned = f"; look at {first_names(told, 2)}" if told else ""
        return passed("bias", f"{ran} tests run, none fails{warned}")

    def _config_of(self, plan: PlannedTrial) -> DeskConfig:
        """Return the configuration with the trial's parameters under its name in the sweep."""
        own = {key: value for key, value in plan.table.items() if key != "symbols"}
        return replace(self._config, strategy={plan.chosen.row.trial.strategy: own})

    def _request_of(self, plan: PlannedTrial) -> BacktestRequest:
        trial = plan.chosen.row.trial
        return self._request._replace(
            strategy=trial.strategy,
            symbols=tuple(self._outcome.manifest.symbols),
            first=trial.window.first,
            last=trial.window.last,
            span=self._outcome.manifest.span,
            settings=(),
        )


def _guarded_steps(step: str, run: Callable[[], list[PromotionStep]]) -> Iterator[PromotionStep]:
    """Yield what a step comes to; what it raises is its failure, and no reason mends that."""
    try:
        found = run()
    except PatangError as error:
        found = [failed(step, str(error), forceable=False)]
    yield from found
