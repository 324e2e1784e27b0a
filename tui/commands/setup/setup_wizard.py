"""The wizard: asks, writes a candidate beside the file, and puts it in place when it is passed."""

import difflib
import os
import shutil
import sqlite3
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from brokers.session.day_session import stored_session
from engine.config.config_files import load_config, parse_config
from engine.config.disk_places import find_config, own_config_file
from engine.config.schema import DeskConfig
from engine.config.toml_reader import Key, dotted_key
from engine.errors import ConfigError, OperatorError, PatangError, in_words
from engine.exit_codes import DONE, FAILED
from engine.numbers import count, gain
from engine.system.whole_files import write_whole
from engine.texts import plain_text
from store.schema import connect
from strategies.strategy_sources import names, shipped_kinds
from tui.commands.desk.desk_doctor import run_doctor
from tui.commands.desk.login_commands import log_in
from tui.commands.setup.config_edits import edited_config
from tui.commands.setup.setup_questions import (
    REQUIRED,
    STEP_WORDS,
    STEPS,
    SetupQuestion,
    Step,
    answer_value,
    is_enabled,
    questions_of,
    setting_at,
)
from tui.commands.shared.yes_or_no import is_confirmed
from tui.run.configured import configuration
from tui.run.credentials import endpoint_of, vault_of
from tui.run.exchange_clock import clock_at
from tui.run.run_records import databases_of

LOGIN_S: Final = 300.0
PAPER_TRADES: Final = """
SELECT count(DISTINCT (exit_time + 19800000000000) / 86400000000000), count(*),
    ifnull(sum(pnl), 0) - ifnull(sum(charges), 0) FROM trades WHERE exit_time > 0
"""
"""Days by the clock of India, round trips, and paise after charges."""
ENOUGH_DAYS: Final = 5
"""Days on paper below which the step to live is asked for twice."""


class SetupAnswers(NamedTuple):
    """Answers said beforehand, by key; `yes` asks for no more."""

    given: Mapping[Key, str]
    yes: bool = False


class SetupFiles(NamedTuple):
    """The configuration that is in force, and the one that waits beside it to be passed."""

    file: Path
    candidate: Path


def run_setup(step: Step | None, answers: SetupAnswers, file: Path | None) -> int:
    """Ask what a step needs, and put the configuration in place when the doctor has passed it.

    What was answered stays in the candidate beside it meanwhile, and is what the next run begins
    from. Raises `OperatorError` for a no, and where there is nobody to ask.
    """
    if not answers.yes and not sys.stdin.isatty():
        raise OperatorError("there is nobody to ask: say --yes, and --set KEY=VALUE for answers")
    files = _files_of(file)
    before = _text_of(files.file)
    # An earlier run that was not passed has asked already: its answers are the defaults now.
    base = files.candidate if files.candidate.is_file() else files.file
    text = _text_of(base)
    config = parse_config(text, base, shipped_kinds()).values
    # Whoever has no file yet begins at the beginning.
    chosen = step or _chosen_step(config.desk.mode if text else "", answers)
    _write_text(f"{chosen}: {STEP_WORDS[chosen]}")
    if chosen == "live":
        _check_paper_days(config, answers)
    edited = edited_config(text, _changed_settings(config, chosen, answers))
    # Each answer is within its own bounds; together they may still contradict each other.
    parse_config(edited, files.file, shipped_kinds())
    _show_changes(files.file, before, edited)
    if not answers.yes and not _is_agreed(f"Try it, and write {files.file}?"):
        raise OperatorError("nothing was written")
    _write_own_file(files.candidate, edited)
    return _pass_candidate(chosen, files, answers)


def _files_of(file: Path | None) -> SetupFiles:
    """Return the file that applies here, or the user's own where there is none yet."""
    found = find_config(file, Path.cwd(), os.environ) or own_config_file(os.environ)
    return SetupFiles(found, found.with_name(found.name + ".new"))


def _text_of(file: Path) -> str:
    """Return a file's text, empty where there is none; raise `ConfigError` as a start does."""
    if not file.exists():
        return ""
    # The bounds of a start hold here, too: no device, not another user's, not without end.
    load_config(file)
    return file.read_text(encoding="utf-8-sig")


def _chosen_step(mode: str, answers: SetupAnswers) -> Step:
    """Ask for a step; the one after the configured mode is what an empty line means."""
    following: dict[str, Step] = {"sandbox": "paper", "paper": "live"}
    default = following.get(mode, "sandbox")
    if answers.yes:
        return default
    for number, name in enumerate(STEPS, 1):
        _write_text(f"  {number}  {name:<8} {STEP_WORDS[name]}")
    while True:
        said = _ask_line(f"Which desk? [{default}] ") or default
        for number, name in enumerate(STEPS, 1):
            if said in {name, str(number)}:
                return name
        _write_text(f"  {said}: expected {', '.join(STEPS)}, or its number")


def _changed_settings(config: DeskConfig, step: Step, answers: SetupAnswers) -> dict[Key, object]:
    """Return every setting of a step whose value is not the configured one."""
    wanted: dict[Key, object] = {("desk", "mode"): step}
    if step != "sandbox":
        wanted["broker", "name"] = "kite"
    known = names()
    questions = questions_of(step, config, known)
    keys = {question.key for question in questions}
    for key, answer in answers.given.items():
        if key not in keys:
            asked = ", ".join(dotted_key(each.key) for each in questions)
            raise ConfigError(f"{dotted_key(key)}: {step} does not ask for it; it asks for {asked}")
        wanted |= answer_value(key, answer, known)
    open_questions = [each for each in questions if each.key not in answers.given]
    for number, question in enumerate(open_questions, 1):
        if not answers.yes:
            wanted |= _answered_question(question, f"{number} of {len(open_questions)}", known)
        elif not question.default and question.key in REQUIRED:
            name = dotted_key(question.key)
            raise ConfigError(f"{name} is needed: say --set {name}=VALUE")
    return {key: value for key, value in wanted.items() if _setting_of(config, key) != value}


def _setting_of(config: DeskConfig, key: Key) -> object:
    if key[0] != "strategy":
        value = setting_at(config, key)
        return list(value) if isinstance(value, tuple) else value
    return is_enabled(config, str(key[1]))


def _answered_question(
    question: SetupQuestion, place: str, known: Sequence[str]
) -> dict[Key, object]:
    """Ask until there is an answer within the bounds."""
    name = dotted_key(question.key)
    _write_text(f"\n{place}  {question.words}")
    while True:
        answer = _ask_line(f"  {name} [{question.default}] ") or question.default
        if not answer and question.key in REQUIRED:
            _write_text(f"  {name} is needed: nothing goes on without it")
            continue
        try:
            return answer_value(question.key, answer, known)
        except ConfigError as error:
            _write_text(f"  {error}")


def _check_paper_days(config: DeskConfig, answers: SetupAnswers) -> None:
    """Say what was traded on paper, and ask again where that is little.

    Raise `OperatorError` for a no.
    """
    days = trades = net = 0
    for database in databases_of(config, "paper"):
        with closing(connect(database, write=False)) as connection, suppress(sqlite3.Error):
            row = connection.execute(PAPER_TRADES).fetchone()
            days, trades, net = (a + int(b) for a, b in zip((days, trades, net), row, strict=True))
    _write_text(f"on paper: {count(days)} days, {count(trades)} trades, {gain(net).strip()} net")
    if days >= ENOUGH_DAYS:
        return
    question = f"Fewer than {ENOUGH_DAYS} days on paper say little. Go on with real money?"
    if answers.yes or not is_confirmed(question):
        raise OperatorError(
            f"nothing was written: trade on paper for {ENOUGH_DAYS} days first (patang setup paper)"
        )


def _show_changes(file: Path, before: str, after: str) -> None:
    """Print what differs from the file, a line each."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    _write_text(f"\n{file}" + ("" if changed else ": nothing changes"))
    for line in changed:
        _write_text(f"  {line}")


def _pass_candidate(step: Step, files: SetupFiles, answers: SetupAnswers) -> int:
    """Log in where that is needed, have the doctor look, and put the candidate in place."""
    if step != "sandbox" and not answers.yes and _wants_login(files.candidate):
        _write_text("")
        keep = is_confirmed("Keep the API secret for the next login, encrypted?")
        log_in(files.candidate, None, LOGIN_S, keep_secret=keep, as_json=False)
    _write_text("\nthe doctor looks at it:")
    try:
        passed = run_doctor(files.candidate, "", as_json=False) == DONE
        # Its lines come before ours, wherever they go.
        sys.stdout.flush()
    except PatangError as error:
        _write_text(str(error))
        passed = False
    if not passed:
        _write_text(
            f"{files.file} is as it was; your answers wait in {files.candidate}: mend what failed, "
            f"and say patang setup {step} again"
        )
        return FAILED
    try:
        files.candidate.replace(files.file)
    except OSError as error:
        raise OperatorError(f"cannot write {files.file}: {in_words(error)}") from None
    begin = "patang run --live" if step == "live" else "patang run"
    _write_text(f"{files.file}: written. Begin with: {begin}")
    return DONE


def _wants_login(candidate: Path) -> bool:
    """Return whether there is no session of today, and one is wanted now."""
    config = configuration(candidate)
    place = endpoint_of(config)
    session = stored_session(vault_of(config), place.hosts, place.api_key)
    if session is not None and session.is_unexpired(clock_at(place.rest).now()):
        return False
    return _is_agreed("Kite wants a login, in the browser. Log in now?")


def _write_own_file(file: Path, text: str) -> None:
    """Write a file that others can neither read nor write: it decides where orders go."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"cannot write {file}: {in_words(error)}") from None
    write_whole(file, lambda fresh: fresh.write_text(text, encoding="utf-8"))


def _is_agreed(question: str) -> bool:
    """Ask a question whose answer is yes where the line is empty."""
    return (_ask_line(f"{question} [Y/n] ") or "y").lower() in {"y", "yes"}


def _ask_line(question: str) -> str:
    sys.stderr.write(plain_text(question) + " " * question.endswith(" "))
    sys.stderr.flush()
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        # Whoever leaves has to know what became of the answers; the rest of it ends in silence.
        sys.stderr.write("\n")
        raise OperatorError("nothing was written: it was left") from None
    # The end of the input is no answer, and must not pass for an empty line.
    if not line:
        raise OperatorError("nothing was written: the answers ended")
    return line.strip()


def _write_text(text: str) -> None:
    width = shutil.get_terminal_size().columns
    for line in map(plain_text, text.split("\n")):
        # Whole words, and what follows under what begins; a path is not broken.
        parts = textwrap.wrap(
            line,
            width,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        ) or [""]
        sys.stderr.write("".join(f"{part}\n" for part in parts))
    sys.stderr.flush()
