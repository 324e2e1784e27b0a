"""The report of a sweep, as it is made and when it is shown again: terminal, JSON, page."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.config.scoring_settings import ScoringSettings
from engine.numbers import counted
from engine.research.parameter_space import point_text
from engine.research.sweep_page import SweepFacts, sweep_html
from engine.research.sweep_study import SweepStudy, draw_chances, study_sweep
from engine.research.trials import StudyTerms
from engine.system.whole_files import write_whole
from engine.texts import plain_text
from store.trial_journal import TrialJournal
from tui.commands.research.sweep_files import TRIALS
from tui.commands.research.sweep_manifest import SweepOutcome
from tui.commands.research.sweep_report import print_study, study_json
from tui.commands.shared.progress_line import narrate
from tui.commands.shared.typed_values import read_day


def study_outcome(
    outcome: SweepOutcome, settings: ScoringSettings, terms: StudyTerms, as_of: str
) -> SweepStudy:
    """Return the study of a sweep's trials, as of a day; raise `PatangError`."""
    days, day = outcome.manifest.days, read_day(as_of)
    # Bars of a simulated market may lie ahead of the clock: they are fresh.
    terms = terms._replace(as_of=day if as_of else max(day, days[-1]))
    study = study_sweep(outcome.rows, days, settings, terms)
    trades = TrialJournal(outcome.folder).trade_returns(len(days), study.leaders)
    return draw_chances(study, trades, terms.seed)


def put_out(
    outcome: SweepOutcome, study: SweepStudy, report: Path | None, *, as_json: bool
) -> None:
    """Print a study, and write its page where one is asked for."""
    facts, file = page_facts(outcome), outcome.folder / TRIALS
    _say_what_came(outcome, facts.notices)
    if as_json:
        said = facts._asdict() | {"partial": outcome.is_partial, "file": str(file)}
        sys.stdout.write(study_json(study, outcome.rows, **said) + "\n")
    else:
        print_study(study, outcome.rows, facts.objective)
    if report is not None:
        page = sweep_html(facts, study, outcome.rows)
        write_whole(report, lambda fresh: fresh.write_text(page, encoding="utf-8"))
        narrate(f"report: {report}")
    if file.exists():
        narrate(f"all trials: {file}")


def _say_what_came(outcome: SweepOutcome, notices: Sequence[str]) -> None:
    """Say what is not in the tables: resumed, refused and failed trials, and notices."""
    if outcome.resumed:
        narrate(f"{counted(outcome.resumed, 'trial')} done already")
    if outcome.refused:
        first = outcome.refused[0]
        narrate(
            plain_text(
                f"{counted(len(outcome.refused), 'point')} refused by the strategy, as "
                f"{point_text(first.parameters)}: {first.refusal}"
            )
        )
    if failed := [row for row in outcome.rows if row.result.failure]:
        narrate(
            plain_text(
                f"{counted(len(failed), 'trial')} failed, as "
                f"{point_text(failed[0].trial.parameters)} on {failed[0].trial.symbol}: "
                f"{failed[0].result.failure}"
            )
        )
    given_up = {row.trial.configuration: row.pruned for row in outcome.rows if row.pruned}
    if given_up:
        parts = Counter(given_up.values()).most_common()
        told = ", ".join(f"{number} {text}" for text, number in parts)
        narrate(f"{counted(len(given_up), 'point')} given up: {told}")
    for notice in notices:
        narrate(plain_text(f"note: {notice}"))


def page_facts(outcome: SweepOutcome) -> SweepFacts:
    """Return what stands above a sweep on its page."""
    manifest = outcome.manifest
    part = (
        f"{counted(outcome.missing, 'trial')} missing, never run or damaged in the journal: run it "
        f"again, {manifest.command}"
        if outcome.missing
        else "stopped before its end: this is a part of the sweep"
    )
    return SweepFacts(
        manifest.name,
        manifest.made,
        first=str(manifest.days[0]),
        last=str(manifest.days[-1]),
        sessions=len(manifest.days),
        trials=len(outcome.rows),
        failed=sum(bool(row.result.failure) for row in outcome.rows),
        refused=len(outcome.refused),
        objective=manifest.objective,
        command=manifest.command,
        notices=[*([part] if outcome.is_partial else []), *manifest.warnings],
    )
