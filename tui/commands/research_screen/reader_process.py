"""The process that reads results for the screen: a request a line on stdin, an answer on stdout.

    python -m tui.commands.research_screen.reader_process MODE [--config FILE]

It ends when its stdin does, and ends the jobs then that were to end with the screen.
"""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, final

import msgspec

import strategies
from engine.config.disk_places import desk_paths, find_config
from engine.config.schema import DeskConfig
from engine.errors import ConfigError, NothingFound, OperatorError, PatangError
from engine.exit_codes import DONE
from engine.system.whole_files import write_whole
from engine.texts import plain_text
from store.backtest_results import ResultStore, StoredResult
from store.closed_trades import ClosedTrade, closed_trades
from strategies.strategy_sources import shipped_kinds
from tui.app.research_port import (
    FormOffer,
    JobRequest,
    ResultCandles,
    ResultRow,
    ResultTab,
    ResultTable,
    TableColumn,
    TabRequest,
)
from tui.commands.research.sweep_manifest import SweepOutcome, sweeps_folder
from tui.commands.research.sweep_shelf import SweepShelf
from tui.commands.research_screen.job_words import job_words
from tui.commands.research_screen.listed_results import DESK, ResultList
from tui.commands.research_screen.result_tabs import plain_row
from tui.commands.research_screen.started_jobs import StartedJobs
from tui.run.configured import find_configuration
from tui.run.run_records import databases_of, state_folder

KEPT: Final = 4
"""Results and sweeps that stay in memory."""
AT_ONCE: Final = 3
"""Requests at a time: a study of a sweep must not hold up the list."""
MOST_CLOSED: Final = 3_000
CHECK_S: Final = 120.0


class ReaderRequest(msgspec.Struct, frozen=True):
    """A request: its number, what is wanted, and of what."""

    id: int
    verb: str
    body: msgspec.Raw = msgspec.Raw(b"null")


class ReaderAnswer(msgspec.Struct, frozen=True):
    """The answer to a request of that number; `fault` is why there is none."""

    id: int
    body: object = None
    fault: str = ""


@final
class ResearchReader:
    """Reads what the screen asks for, of one mode's desk."""

    def __init__(self, config: DeskConfig, mode: str, options: list[str]) -> None:
        self._config = config
        self._mode = mode
        self._options = options
        """Those by which a command finds the same configuration."""
        self._state = desk_paths(config, os.environ).state
        self._results = ResultStore(self._state / "results.db")
        self._shelf = SweepShelf(sweeps_folder(config))
        self.jobs = StartedJobs(self._state / "research-jobs")
        self._list = ResultList(self._results, self._shelf, self.jobs)
        self._told: list[ResultRow] | None = None
        self._runs: dict[str, StoredResult] = {}
        self._sweeps: dict[tuple[str, int], SweepOutcome] = {}

    def answer(self, request: ReaderRequest) -> object:
        """Return what is asked for; raise `PatangError`."""
        match request.verb:
            case "rows":
                return self._changed_rows(fresh=msgspec.json.decode(request.body, type=bool))
            case "tab":
                return self._made_tab(msgspec.json.decode(request.body, type=TabRequest))
            case "offer":
                return self._form_offer(msgspec.json.decode(request.body, type=str))
            case "check":
                return self._checked_text(msgspec.json.decode(request.body, type=JobRequest))
            case "start":
                return self._start_job(msgspec.json.decode(request.body, type=JobRequest))
            case _:
                verb, key, text = msgspec.json.decode(request.body, type=tuple[str, str, str])
                return self._act_on(verb, key, text)

    def _changed_rows(self, *, fresh: bool) -> list[ResultRow] | None:
        # the screen asks every few seconds, and mostly nothing has changed
        rows = self._list.rows(self._mode)
        if rows == self._told and not fresh:
            return None
        self._told = rows
        return rows

    # tabs

    def _made_tab(self, asked: TabRequest) -> ResultTab:
        kind, _, name = asked.key.partition(" ")
        if kind == DESK:
            return self._desk_tab(asked)
        if kind == "backtest":
            return self._run_tab(name, asked)
        if kind == "sweep":
            return self._sweep_tab(name, asked)
        from tui.commands.research_screen.result_tabs import bias_rows, findings_table

        if kind == "check":
            check = next((each for each in self._results.checks() if each.name == name), None)
            if check is None:
                raise NothingFound(f"{name} was not checked")
            return findings_table(check.about, bias_rows(check))
        if kind == "job":
            job = self.jobs.find(name)
            return _lines_table("patang " + " ".join(job.words), self.jobs.output(job))
        return _lines_table("it cannot be read", [])

    def _run_tab(self, run: str, asked: TabRequest) -> ResultTab:
        from tui.commands.research_screen import result_tabs

        stored = self._loaded_run(run)
        if asked.trade:
            return self._run_candles(stored, int(asked.trade))
        if asked.tab == "checks":
            name = stored.outcome.manifest.name
            checks = (each for each in self._results.checks() if each.name == name)
            return result_tabs.checks_tab(stored, next(checks, None))
        # both are in memory mostly: one looks from one to the other
        if asked.tab == "compare":
            marked = asked.other.removeprefix("backtest ")
            if not marked or marked == run:
                return _lines_table("v marks a result, v on another one compares the two", [])
            return result_tabs.compare_tab(self._loaded_run(marked), stored)
        made: dict[str, Callable[[StoredResult], ResultTab]] = {
            "equity": result_tabs.curves_tab,
            "figures": result_tabs.figures_tab,
            "months": result_tabs.months_tab,
            "groups": result_tabs.groups_tab,
            "trades": result_tabs.trades_tab,
        }
        return made[asked.tab](stored)

    def _loaded_run(self, run: str) -> StoredResult:
        found = self._runs.pop(run, None) or self._results.load(run)
        # the last one used stands last, and the first one goes
        self._runs[run] = found
        while len(self._runs) > KEPT:
            self._runs.pop(next(iter(self._runs)), None)
        return found

    def _sweep_tab(self, name: str, asked: TabRequest) -> ResultTab:
        from tui.commands.research_screen import sweep_tabs

        outcome = self._loaded_sweep(name)
        # the one slow tab: bootstraps over all trials
        if asked.tab == "luck":
            return sweep_tabs.luck_tab(outcome, self._config)
        scores = sweep_tabs.read_scores(outcome)
        if asked.tab == "map":
            return sweep_tabs.map_tab(outcome, scores, asked)
        if asked.tab == "trials":
            return sweep_tabs.trials_tab(outcome, scores)
        return sweep_tabs.best_curves(outcome, scores)

    def _loaded_sweep(self, name: str) -> SweepOutcome:
        journal = self._shelf.folder / name / "trials.jsonl"
        size = journal.stat().st_size if journal.exists() else 0
        # one that runs grows, and is read again
        if (name, size) not in self._sweeps:
            self._sweeps[name, size] = self._shelf.load(name)
            while len(self._sweeps) > KEPT:
                self._sweeps.pop(next(iter(self._sweeps)), None)
        return self._sweeps[name, size]

    def _desk_tab(self, asked: TabRequest) -> ResultTab:
        from engine.promotion.promotion_log import PromotionLog
        from tui.commands.research_screen import desk_tabs

        if asked.trade:
            return self._desk_candles(int(asked.trade))
        if asked.tab == "parity":
            return desk_tabs.parity_tab(self._results.parity_days())
        if asked.tab in {"promoted", "promotions"}:
            log = PromotionLog(state_folder(self._config, self._mode))
            if asked.tab == "promotions":
                return desk_tabs.promotions_tab(log)
            return desk_tabs.promoted_tab(log, opened=bool(log.numbers()))
        trades = self._closed_trades()
        return (
            desk_tabs.closed_tab(trades)
            if asked.tab == "trades"
            else desk_tabs.account_curves(trades)
        )

    def _closed_trades(self) -> list[ClosedTrade]:
        """Return the closed trades of every run of this mode."""
        found: list[ClosedTrade] = []
        # a sandbox has a database for each of its runs, any other desk one
        for database in databases_of(self._config, self._mode):
            found += closed_trades(database, MOST_CLOSED - len(found))
            if len(found) >= MOST_CLOSED:
                break
        return found

    def _run_candles(self, stored: StoredResult, number: int) -> ResultCandles:
        from tui.commands.research_screen.trade_charts import run_trade_chart

        trade = next((each for each in stored.outcome.trades if each.number == number), None)
        if trade is None:
            raise NothingFound(f"there is no trade {number}")
        return run_trade_chart(self._config, stored, trade)

    def _desk_candles(self, number: int) -> ResultCandles:
        from tui.commands.research_screen.trade_charts import desk_trade_chart

        for database in databases_of(self._config, self._mode):
            for trade in closed_trades(database, MOST_CLOSED):
                if trade.trade == number:
                    return desk_trade_chart(self._config, self._mode, database, trade)
        raise NothingFound(f"there is no trade {number}")

    # forms and jobs

    def _form_offer(self, kind: str) -> FormOffer:
        # a store of bars brings libraries that the list can do without
        from tui.run.bar_stores import history_store

        names = strategies.names()
        parameters: dict[str, list[str]] = {}
        for name, own in shipped_kinds().items():
            parameters[name] = list(own.__struct_fields__)
        with contextlib.suppress(PatangError):
            contents = history_store(self._config, None).contents()
            symbols = list(dict.fromkeys(each.symbol for each in contents))
            last = next((job.fields for job in self.jobs.jobs() if job.kind == kind), {})
            return FormOffer(names, parameters, symbols, last)
        return FormOffer(names, parameters, [])

    def _checked_text(self, request: JobRequest) -> str:
        """Return what a request would run, as the command itself says it; raise `ConfigError`."""
        checked = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", "tui", *self._command_words(request), "--dry-run"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CHECK_S,
            check=False,
        )
        # its last line is the complaint; above it may stand what it was reading
        if checked.returncode != DONE:
            said = checked.stderr.strip().splitlines() or ["it cannot be checked"]
            raise ConfigError(plain_text(said[-1]).removeprefix("patang: "))
        return plain_text(checked.stdout.strip())

    def _start_job(self, request: JobRequest) -> str:
        words = self._command_words(request)
        return self.jobs.start(request.kind, words, request.fields, tied=request.tied).number

    def _command_words(self, request: JobRequest) -> list[str]:
        fields = dict(request.fields)
        if request.kind == "sweep" and not fields.get("workers"):
            # one core stays with the desk and its screen
            fields["workers"] = str(max(len(os.sched_getaffinity(0)) - 1, 1))
        return [*job_words(request.kind, fields), *self._options]

    def _act_on(self, verb: str, key: str, text: str) -> str:
        kind, _, name = key.partition(" ")
        match verb, kind:
            case "stop", _:
                self.jobs.stop(self.jobs.find(text))
                return "it ends in order; what is done is kept"
            case "remove", "backtest":
                self._results.remove([name])
            case "remove", "sweep":
                self._shelf.remove([name])
            case "remove", "check":
                self._results.remove_check(name)
            case "remove", "job":
                self.jobs.remove(self.jobs.find(name))
            case "note", "backtest":
                self._results.keep_note(name, text)
                return f"noted: {text}" if text else "no note any more"
            case "report", "backtest" | "sweep":
                return str(self._write_report(kind, name))
            case "check", "backtest":
                return self._begin_check(name)
            case _:
                raise OperatorError(f"a {kind} has no {verb}")
        return f"removed: {name}"

    def _write_report(self, kind: str, name: str) -> Path:
        # beside the results: a folder of the user's would have to be asked for
        folder = self._state / "reports"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / f"{name}.html"
        if kind == "sweep":
            from engine.research.sweep_page import sweep_html
            from tui.commands.research.sweep_output import page_facts, study_outcome

            outcome = self._loaded_sweep(name)
            study = study_outcome(outcome, self._config.scoring, outcome.manifest.study, "")
            page = sweep_html(page_facts(outcome), study, outcome.rows)
            write_whole(file, lambda fresh: fresh.write_text(page, encoding="utf-8"))
        else:
            from tui.commands.backtest.backtest_commands import ResultBars, write_report

            stored = self._loaded_run(name)
            write_report(
                file,
                stored.outcome,
                metrics=stored.metrics,
                findings=stored.findings,
                series=ResultBars(self._config, stored),
                asked=(),
            )
        return file

    def _begin_check(self, run: str) -> str:
        """Start a bias check of what a run was made of."""
        held = self._loaded_run(run).outcome.manifest
        # which of several looks ahead, a check of all would not say
        [name, *others] = held.strategies
        if others:
            raise OperatorError("it was made of several strategies: check each by itself")
        fields = {
            "strategy": name,
            "symbols": ",".join(held.symbols),
            "from": held.first,
            "to": held.last,
            "span": str(held.span),
        }
        self._start_job(JobRequest("check", fields))
        return f"{name} is being checked"


def _lines_table(title: str, lines: list[str]) -> ResultTable:
    rows = [plain_row(str(place), [text], [""]) for place, text in enumerate(lines)]
    return ResultTable(title, [TableColumn("", 40, right=False, most=4_000)], rows, "nothing")


def serve_requests(reader: ResearchReader) -> None:
    """Answer until stdin ends, several requests at a time."""
    out, turn = sys.stdout.buffer, threading.Lock()

    def handle(line: bytes) -> None:
        request = msgspec.json.decode(line, type=ReaderRequest)
        answer = answered(reader, request)
        with turn:
            out.write(msgspec.json.encode(answer) + b"\n")
            out.flush()

    # the answers come in any order, each with its number
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for line in sys.stdin.buffer:
            pool.submit(handle, line)
        # before what is still being read: nobody waits for that any more
        reader.jobs.stop_tied()
        pool.shutdown(wait=False, cancel_futures=True)


def answered(reader: ResearchReader, request: ReaderRequest) -> ReaderAnswer:
    """Return the answer to a request, whatever goes wrong with it."""
    try:
        # what a strategy prints as it is read is no answer
        with contextlib.redirect_stdout(sys.stderr):
            return ReaderAnswer(request.id, reader.answer(request))
    except PatangError as error:
        return ReaderAnswer(request.id, fault=str(error))
    except Exception as error:  # noqa: BLE001 - the screen must hear that there is no answer
        return ReaderAnswer(request.id, fault=f"{type(error).__name__}: {error}")


def make_reader(words: list[str]) -> ResearchReader:
    """Return the reader of a command line: the mode, and the options of a configuration."""
    mode, *options = words
    file = Path(options[-1].removeprefix("--config=")) if options else None
    return ResearchReader(
        find_configuration(find_config(file, Path.cwd(), os.environ)).values, mode, options
    )


def main() -> None:
    """Serve one screen."""
    os.umask(0o077)
    answer: Any
    try:
        reader = make_reader(sys.argv[1:])
    except PatangError as error:
        # every request is answered by it: the screen says what is wrong with the configuration
        for line in sys.stdin.buffer:
            number = msgspec.json.decode(line, type=ReaderRequest).id
            answer = ReaderAnswer(number, fault=str(error))
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
            sys.stdout.buffer.flush()
        return
    serve_requests(reader)


if __name__ == "__main__":
    main()
