"""`patang setup`: from a market on this machine to paper, and from paper to real orders."""

from typing import Annotated

from cyclopts import Parameter

from engine.config.toml_reader import Key
from engine.errors import ConfigError
from tui.commands.setup.setup_questions import Step
from tui.commands.setup.setup_wizard import SetupAnswers, run_setup
from tui.commands.shared.options import ConfigFile


def setup(
    step: Annotated[
        Step | None, Parameter(help="Which desk to set up; without it, it is asked for.")
    ] = None,
    *,
    given: Annotated[
        tuple[str, ...],
        Parameter(
            name="--set",
            negative="",
            help="An answer beforehand, KEY=VALUE as feed.watch=INFY,TCS; several times.",
        ),
    ] = (),
    yes: Annotated[
        bool,
        Parameter(negative="", help="Ask nothing: what is not answered stays as configured."),
    ] = False,
    config: ConfigFile = None,
) -> int:
    """Write a configuration, question by question, and have the doctor pass it."""
    return run_setup(step, SetupAnswers(dict(map(_given_answer, given)), yes), config)


def _given_answer(text: str) -> tuple[Key, str]:
    name, equals, value = text.partition("=")
    parts = tuple(name.strip().split("."))
    if not equals or not all(parts):
        raise ConfigError(f"--set {text}: expected KEY=VALUE, as feed.watch=INFY,TCS")
    return parts, value.strip()
