"""`patang sweeps`: the sweeps that are kept, one shown again, some removed."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from engine.config.schema import DeskConfig
from engine.errors import OperatorError
from engine.exit_codes import DONE, FAILED
from engine.indian_time import made_text
from engine.numbers import count
from engine.research.sweep_tables import score_text
from engine.texts import plain_text
from tui.commands.backtest.backtest_commands import ReportFile
from tui.commands.research.sweep_commands import AsOf, Embargo, Folds, WalkForward, study_terms
from tui.commands.research.sweep_manifest import sweeps_folder
from tui.commands.research.sweep_output import put_out, study_outcome
from tui.commands.research.sweep_shelf import SweepShelf
from tui.commands.shared.options import AsJson, ConfigFile, RowsAsJson
from tui.commands.shared.text_tables import print_table
from tui.commands.shared.yes_or_no import is_confirmed
from tui.run.configured import configuration

MB = 1_000_000
Sweep = Annotated[
    str, Parameter(help="Which sweep: its name or the beginning of it; last: the newest.")
]

sweeps_app = App(name="sweeps", help="Look at the sweeps that are kept.", help_format="plaintext")


@sweeps_app.command(name="list")
def list_sweeps(*, config: ConfigFile = None, as_json: RowsAsJson = False) -> int:
    """List the sweeps that are kept, the newest first."""
    entries = _shelf(configuration(config)).entries()
    if not entries and not as_json:
        sys.stderr.write("no sweeps yet: see patang sweep\n")
        return FAILED
    rows = [
        {
            "sweep": each.name,
            "made": made_text(each.made),
            "strategies": each.strategies,
            "trials": f"{count(each.trials)} of {count(each.wanted)}",
            "symbols": each.symbols,
            "days": each.days,
            "state": each.state,
            "best": "" if each.best is None else score_text(each.best),
            "MB": round(each.size / MB, 2),
        }
        for each in entries
    ]
    print_table([each._asdict() for each in entries] if as_json else rows, as_json=as_json)
    return DONE


@sweeps_app.command
def show(
    sweep: Sweep = "last",
    *,
    walk_forward: WalkForward = "",
    folds: Folds = 0,
    embargo: Embargo = "1d",
    as_of: AsOf = "",
    report: ReportFile = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Show a sweep as it was shown when it was made, from its journal: nothing is run."""
    values = configuration(config)
    shelf = _shelf(values)
    outcome = shelf.load(shelf.find(sweep))
    kept, asked = outcome.manifest.study, study_terms(walk_forward, folds, embargo)
    terms = asked._replace(
        seed=kept.seed,
        windows=asked.windows or kept.windows,
        folds=asked.folds or kept.folds,
        embargo=asked.embargo if asked.folds else kept.embargo,
    )
    study = study_outcome(outcome, values.scoring, terms, as_of)
    put_out(outcome, study, report, as_json=as_json)
    return DONE


@sweeps_app.command
def rm(
    sweeps: Annotated[list[str], Parameter(help="Which sweeps: names, or their beginnings.")],
    *,
    yes: Annotated[bool, Parameter(negative="", help="Remove them without asking.")] = False,
    config: ConfigFile = None,
) -> int:
    """Remove sweeps with all their trials."""
    shelf = _shelf(configuration(config))
    found = list(dict.fromkeys(shelf.find(each) for each in sweeps))
    named = plain_text(", ".join(found))
    if not yes and not is_confirmed(f"Remove {named}, with all trials?"):
        raise OperatorError("nothing was removed; --yes removes without asking")
    shelf.remove(found)
    sys.stderr.write(f"removed {named}\n")
    return DONE


def _shelf(config: DeskConfig) -> SweepShelf:
    return SweepShelf(sweeps_folder(config))
