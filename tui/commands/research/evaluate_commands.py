"""`patang evaluate`: what was promoted, beside its promise, and what a rule demotes."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from cyclopts import Parameter

from engine.config.desk_modes import Mode
from engine.config.promotion_settings import PromotionSettings
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, OperatorError
from engine.exit_codes import DONE, FAILED
from engine.market.calendar import ist_day
from engine.promotion.next_day_file import NextDayFile
from engine.promotion.promotion_log import PromotionLog, PromotionRecord
from engine.texts import plain_text
from tui.commands.research import promotion_report
from tui.commands.research.promote_commands import ChangeConsent, write_record
from tui.commands.shared.options import AsJson, ConfigFile
from tui.commands.shared.progress_line import narrate
from tui.commands.shared.typed_values import read_day
from tui.run.configured import configuration
from tui.run.run_records import state_folder

if TYPE_CHECKING:
    from tui.commands.research.evaluation_job import EvaluationPeriod, StrategyEvaluation

WORD: Final = "demote"


class AskedEvaluation(NamedTuple):
    """An evaluation as it was asked for, `now` (ns UTC); without `period` of all sessions."""

    mode: str
    period: "EvaluationPeriod | None"
    now: int
    every: bool
    parity: bool
    as_json: bool

    @property
    def today(self) -> date:
        """Return the day of now, IST."""
        return ist_day(self.now)


def evaluate(
    *,
    mode: Annotated[
        Mode | None, Parameter(help="Whose desk, instead of desk.mode of the configuration.")
    ] = None,
    week: Annotated[str, Parameter(help="Only the sessions of a week, as 2026-W48.")] = "",
    since: Annotated[
        str, Parameter(name="--from", help="First day, YYYY-MM-DD; empty: that of each promotion.")
    ] = "",
    until: Annotated[str, Parameter(name="--to", help="Last day; empty: today.")] = "",
    every: Annotated[
        bool,
        Parameter(name="--all", negative="", help="Those that are promoted no more as well."),
    ] = False,
    parity: Annotated[
        bool,
        Parameter(negative="", help="Compare sessions that nobody has compared, at most ten."),
    ] = False,
    demote: Annotated[
        bool, Parameter(negative="", help="Take what breaks a rule out of the next day.")
    ] = False,
    yes: Annotated[bool, Parameter(negative="", help="Write without asking.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Hold what is promoted against its promise, and demote by rule."""
    period = _asked_period(week, since, until)
    if demote and period:
        raise ConfigError("--demote judges all sessions: leave --week, --from and --to out")
    if yes and not demote:
        raise ConfigError("--yes is for --demote")
    values = configuration(config)
    asked = AskedEvaluation(
        mode or values.desk.mode, period, time.time_ns(), every, parity, as_json
    )
    log = PromotionLog(state_folder(values, asked.mode))
    if demote:
        with log.lock():
            return _demote_broken(values, log, asked, yes=yes)
    evaluations = _run_evaluation(values, log, _file_in_force(log), asked)
    if as_json:
        sys.stdout.write(json.dumps(_told_fields(asked, evaluations)) + "\n")
    return FAILED if any(each.broken for each in evaluations) else DONE


def _run_evaluation(
    values: DeskConfig, log: PromotionLog, file: NextDayFile, asked: AskedEvaluation
) -> "list[StrategyEvaluation]":
    """Return the evaluation of what a file promotes, printed where no JSON is asked for."""
    # numpy and the backtest's own modules: not for a command line that is refused
    from tui.commands.research.evaluation_job import EvaluationJob

    job = EvaluationJob(values, asked.mode, asked.now, asked.period)
    records = log.records()
    found = job.evaluate(file, records, every=asked.every)
    if asked.parity:
        left = job.compare_missing(found)
        found = job.evaluate(file, records, every=asked.every)
        if left:
            narrate(f"{left} sessions are still without parity: say --parity again")
    for warning in job.warnings:
        narrate(plain_text(warning))
    # a look at some of the sessions is none at whether it keeps its promise
    if file.strategy and not asked.period:
        try:
            log.keep_evaluated(asked.today)
        except OperatorError as error:
            narrate(f"the desk will not know of this evaluation: {error}")
    if not asked.as_json:
        _print_all(found, values.promotion, asked)
    return found


def _demote_broken(
    values: DeskConfig, log: PromotionLog, asked: AskedEvaluation, *, yes: bool
) -> int:
    old = _file_in_force(log)
    evaluations = _run_evaluation(values, log, old, asked)
    told = _told_fields(asked, evaluations)
    if not any(each.broken for each in evaluations):
        if asked.as_json:
            sys.stdout.write(json.dumps(told | {"written": False}) + "\n")
        narrate("no rule is broken: nothing to demote")
        return DONE
    record = demotion_record(log, old, evaluations)

    def shown(*, written: bool) -> str:
        changes = promotion_report.changes_facts(old, record.after)
        return json.dumps(told | {"written": written} | changes)

    answer = ChangeConsent(WORD, yes=yes, dry=False, as_json=asked.as_json)
    return write_record(log, record, old, answer, shown)


def demotion_record(
    log: PromotionLog, old: NextDayFile, evaluations: "Sequence[StrategyEvaluation]"
) -> PromotionRecord:
    """Return the record of a demotion of all that break a rule; the others keep their budgets."""
    from tui.commands.research.evaluation_report import broken_text

    broken = {each.promoted.name for each in evaluations if each.broken}
    stays = [each for each in old.promoted if each.name not in broken]
    now, why = datetime.now(UTC), broken_text(evaluations)
    return log.next_record("demotion", old, stays, now=now, reason=why)


def _file_in_force(log: PromotionLog) -> NextDayFile:
    file, fault = log.in_force()
    if fault:
        narrate(plain_text(fault))
    return file


def _asked_period(week: str, since: str, until: str) -> "EvaluationPeriod | None":
    """Return the period that was asked for, None for none; raise `ConfigError`."""
    from tui.commands.research.evaluation_job import EvaluationPeriod, week_of

    if not (week or since or until):
        return None
    if week:
        if since or until:
            raise ConfigError("--week or --from and --to, not both")
        try:
            return week_of(date.fromisoformat(f"{week}-1"))
        except ValueError:
            raise ConfigError(f"week {week}: expected a week that exists, as 2026-W48") from None
    first = read_day(since) if since else None
    last = read_day(until)
    if first and first > last:
        raise ConfigError(f"--from {first} is after --to {last}")
    return EvaluationPeriod(first, last, f"{first} to {last}" if first else f"to {last}")


def _told_fields(
    asked: AskedEvaluation, evaluations: "Sequence[StrategyEvaluation]"
) -> dict[str, object]:
    from tui.commands.research.evaluation_report import evaluation_fields

    return {
        "mode": asked.mode,
        "period": asked.period.name if asked.period else "",
        "strategies": [evaluation_fields(each) for each in evaluations],
        "broken": [each.promoted.name for each in evaluations if each.broken],
    }


def _print_all(
    evaluations: "Sequence[StrategyEvaluation]", settings: PromotionSettings, asked: AskedEvaluation
) -> None:
    from tui.commands.research.evaluation_job import week_of
    from tui.commands.research.evaluation_report import broken_text, print_evaluation

    out = promotion_report.new_console()
    if not evaluations:
        out.print("nothing is promoted")
    names = (asked.period.name if asked.period else "", week_of(asked.today).name)
    for each in evaluations:
        print_evaluation(out, each, settings, names)
    if any(each.broken for each in evaluations):
        narrate(plain_text(f"to demote: {broken_text(evaluations)}"))
