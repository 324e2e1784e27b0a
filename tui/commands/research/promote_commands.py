"""`patang promote`: from a sweep to what the desk trades the next day, and back."""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated, NamedTuple, Protocol

from cyclopts import Parameter

from engine.config.desk_modes import Mode
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, NothingFound, OperatorError
from engine.exit_codes import DONE, FAILED
from engine.promotion.next_day_file import FILE, NextDayFile, read_next_day
from engine.promotion.promotion_log import PromotionLog, PromotionRecord
from engine.texts import plain_text
from tui.commands.research import promotion_report
from tui.commands.shared.options import AsJson, ConfigFile
from tui.commands.shared.progress_line import narrate
from tui.commands.shared.typed_values import read_day
from tui.run.configured import configuration
from tui.run.run_records import state_folder


class JsonMaker(Protocol):
    """A maker of the JSON of a change."""

    def __call__(self, *, written: bool) -> str:
        """Return it."""


class ChangeConsent(NamedTuple):
    """Consent to a change: `word` is typed, `yes` says it beforehand, `dry` is a look."""

    word: str
    yes: bool
    dry: bool
    as_json: bool


def promote(
    sweep: Annotated[str, Parameter(help="Name of a sweep, or last: the newest.")] = "",
    *,
    mode: Annotated[
        Mode | None, Parameter(help="Whose desk, instead of desk.mode of the configuration.")
    ] = None,
    force: Annotated[
        str,
        Parameter(
            help="Reason to promote what a gate refuses; never what looks ahead, cannot be run "
            "again, or is beyond the budget."
        ),
    ] = "",
    replace: Annotated[
        bool, Parameter(negative="", help="Keep nothing that was promoted of other strategies.")
    ] = False,
    rollback: Annotated[
        bool, Parameter(negative="", help="Take the last promotion back; again: the one before.")
    ] = False,
    show: Annotated[bool, Parameter(negative="", help="Say what is promoted, and why.")] = False,
    history: Annotated[
        bool, Parameter(negative="", help="List all promotions and rollbacks.")
    ] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Check and show, write nothing.")] = False,
    yes: Annotated[bool, Parameter(negative="", help="Write without asking.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Promote a sweep's best to the desk, from its next opening on, or take that back."""
    _check_asked(sweep, force, acts=(rollback, show, history))
    values = configuration(config)
    wanted = mode or values.desk.mode
    log = PromotionLog(state_folder(values, wanted))
    out = promotion_report.new_console()
    if show:
        file = read_next_day(log.state)
        if as_json:
            sys.stdout.write(promotion_report.state_json(file) + "\n")
        else:
            promotion_report.print_state(out, file, log.records())
        return DONE
    if history:
        old, fault = log.in_force()  # a damaged file hides no record
        if fault:
            narrate(plain_text(fault))
        number = old.number
        if as_json:
            sys.stdout.write(promotion_report.history_json(log.records(), number) + "\n")
        else:
            promotion_report.print_history(out, log.records(), number)
        return DONE
    with log.lock():
        old, fault = log.in_force()
        if fault:
            narrate(plain_text(fault))
        if rollback:
            answer = ChangeConsent("rollback", yes=yes, dry=dry_run, as_json=as_json)
            return _roll_back(log, old, answer)
        answer = ChangeConsent("promote", yes=yes, dry=dry_run, as_json=as_json)
        return _promote_sweep(
            values,
            wanted,
            sweep,
            log,
            old,
            answer,
            force.strip(),
            broken=bool(fault),
            alone=replace,
        )


def _check_asked(sweep: str, force: str, acts: tuple[bool, ...]) -> None:
    """Raise `ConfigError` for a command line that asks for nothing, or for two things."""
    if sum(acts) + bool(sweep) > 1:
        raise ConfigError("one of SWEEP, --rollback, --show and --history at a time")
    if not sweep and not any(acts):
        raise ConfigError("name a sweep, or last: patang promote last")
    if force.isspace():
        raise ConfigError("--force needs a reason, which goes on record")


def _promote_sweep(
    config: DeskConfig,
    mode: str,
    sweep: str,
    log: PromotionLog,
    old: NextDayFile,
    answer: ChangeConsent,
    force: str,
    *,
    broken: bool,
    alone: bool,
) -> int:
    # pandas and the sweep's own modules: not for --show
    from tui.commands.research.promotion_job import PromotionJob, record_of

    job = PromotionJob(config, sweep, read_day(""), force, alone=alone)
    out = promotion_report.new_console()
    steps = promotion_report.StepPrinter(out, force)
    plan = job.plan(old, (lambda *_: None) if answer.as_json else steps.print_step)

    def shown(*, written: bool) -> str:
        return promotion_report.plan_json(plan, mode=mode, written=written)

    if not plan.taken or (plan.new == old and not broken):
        if answer.as_json:
            sys.stdout.write(shown(written=False) + "\n")
        if plan.taken:
            narrate(f"{log.state / FILE} has this already")
            return DONE
        narrate("nothing is promoted: no trial of this sweep passes; see the reasons above")
        return FAILED
    return write_record(log, record_of(plan, log, force), old, answer, shown)


def _roll_back(log: PromotionLog, old: NextDayFile, answer: ChangeConsent) -> int:
    if not log.state_after(old.number):
        raise NothingFound("there is no promotion to take back: patang promote --history")
    state = log.previous_state(old.number)
    back = log.file_after(state).promoted
    record = log.next_record("rollback", old, back, now=datetime.now(UTC), state=state)

    def shown(*, written: bool) -> str:
        facts = {"written": written, "state": state}
        return json.dumps(facts | promotion_report.changes_facts(old, record.after))

    return write_record(log, record, old, answer, shown)


def write_record(
    log: PromotionLog,
    record: PromotionRecord,
    old: NextDayFile,
    answer: ChangeConsent,
    shown: JsonMaker,
) -> int:
    """Show a change, have it confirmed and write it; raise `OperatorError` for a no."""
    out = promotion_report.new_console()
    if not answer.as_json:
        promotion_report.print_changes(out, old, record.after)
    asks = not (answer.yes or answer.dry)
    if answer.as_json and (answer.dry or asks):
        sys.stdout.write(shown(written=False) + "\n")
    if answer.dry:
        narrate("dry run: nothing was written")
        return DONE
    if asks:
        if answer.as_json or not sys.stdin.isatty():
            raise OperatorError("nothing was written; say --yes to write it")
        sys.stderr.write(f"Type {answer.word} to write it: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() != answer.word:
            raise OperatorError("nothing was written")
    log.put(record)
    narrate(
        f"{log.state / FILE}: written, record {record.number}; the desk reads it at its next "
        "opening"
    )
    if answer.as_json:
        sys.stdout.write(shown(written=True) + "\n")
    return DONE
