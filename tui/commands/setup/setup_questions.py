"""Questions of the setup: each is a setting, with its words and bounds from the schema."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import structs

from engine.config.schema import DeskConfig
from engine.config.toml_reader import (
    Key,
    bare_type,
    convert_setting,
    describe_type,
    dotted_key,
)
from engine.errors import ConfigError
from engine.numbers import count

Step = Literal["sandbox", "paper", "live"]
STEPS: Final[tuple[Step, ...]] = get_args(Step)
STRATEGIES: Final[Key] = ("strategy",)
"""The question of which strategies run; their tables say it one by one."""
STEP_WORDS: Final[dict[Step, str]] = {
    "sandbox": "a market on this machine, an account of play money",
    "paper": "Kite's prices, orders filled here; needs an API key",
    "live": "real orders with real money at Kite",
}
WORDS: Final[dict[Key, str]] = {
    ("sandbox", "cash"): "Play money on the account, ₹",
    ("paper", "cash"): "Rupees on the paper account when it is opened",
    ("broker", "api_key"): "The API key of your application, from Kite's developer console",
    ("broker", "static_ip"): "The static address that is registered with the broker for orders",
    ("feed", "watch"): "Symbols to watch and to trade, as INFY, TCS; all: every one that is listed",
    STRATEGIES: "Strategies that run; none: orders by hand only. There are {}",
    (
        "risk",
        "max_daily_loss",
    ): "The most a day may lose, charges included, before the desk halts, ₹",
    ("risk", "max_exposure"): "The most that all positions together may be worth, ₹",
    ("risk", "max_order_value"): "The most that one order may be worth, ₹",
    ("desk", "on_terminal_loss"): "When the terminal is gone: continue, kill or flatten",
}
"""What is asked, setting by setting."""
_COMMON: Final[tuple[Key, ...]] = (
    ("feed", "watch"),
    STRATEGIES,
    ("risk", "max_daily_loss"),
    ("risk", "max_exposure"),
    ("risk", "max_order_value"),
)
ASKED: Final[dict[Step, tuple[Key, ...]]] = {
    "sandbox": (("sandbox", "cash"), *_COMMON),
    "paper": (("broker", "api_key"), ("paper", "cash"), *_COMMON),
    "live": (
        ("broker", "api_key"),
        ("broker", "static_ip"),
        *_COMMON,
        ("desk", "on_terminal_loss"),
    ),
}
REQUIRED: Final[frozenset[Key]] = frozenset({("broker", "api_key"), ("broker", "static_ip")})
"""Settings without which nothing can go on."""


class SetupQuestion(NamedTuple):
    """One question: the setting's key, its words, and the answer that an empty line stands for."""

    key: Key
    words: str
    default: str


def questions_of(step: Step, config: DeskConfig, strategies: Sequence[str]) -> list[SetupQuestion]:
    """Return what a step asks, with the configured values as defaults."""
    running = ", ".join(name for name in strategies if is_enabled(config, name)) or "none"
    return [
        SetupQuestion(
            key,
            WORDS[key].format(", ".join(strategies)),
            running if key == STRATEGIES else answer_text(setting_at(config, key)),
        )
        for key in ASKED[step]
    ]


def answer_value(key: Key, answer: str, strategies: Sequence[str]) -> dict[Key, object]:
    """Return the settings that an answer stands for; raise `ConfigError` with the mend."""
    words = [word.strip() for word in answer.split(",") if word.strip()]
    if key == STRATEGIES:
        chosen = [] if [word.lower() for word in words] == ["none"] else words
        for name in chosen:
            if name not in strategies:
                raise ConfigError(f"{name}: no such strategy; there are {', '.join(strategies)}")
        return {("strategy", name, "enabled"): name in chosen for name in strategies}
    field = _field_of(key)
    try:
        value = convert_setting(field.type, _typed_answer(bare_type(field.type), answer, words))
    except (msgspec.ValidationError, ValueError):
        wanted = describe_type(field.type).replace("_", ",")
        raise ConfigError(
            f"{dotted_key(key)}: expected {wanted}, got {answer or 'nothing'}"
        ) from None
    return {key: value}


def _typed_answer(kind: object, answer: str, words: list[str]) -> object:
    """Return an answer as TOML would have it."""
    if get_origin(kind) is tuple:
        return [] if [word.lower() for word in words] == ["all"] else [w.upper() for w in words]
    if kind is bool:
        return {"yes": True, "no": False, "true": True, "false": False}[answer.lower()]
    # As money is written here, with sign and commas.
    digits = answer.removeprefix("₹").strip().replace(",", "")
    if kind is int:
        return int(digits)
    return float(digits) if kind is float else answer.strip()


def answer_text(value: object) -> str:
    """Return a value as somebody would type it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "all"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return count(value) if isinstance(value, int) else str(value)


def setting_at(config: DeskConfig, key: Key) -> object:
    """Return the value of a setting."""
    value: object = config
    for part in key:
        value = getattr(value, str(part))
    return value


def _field_of(key: Key) -> structs.FieldInfo:
    """Return the declaration of a setting."""
    table, name = key
    section = next(each for each in structs.fields(DeskConfig) if each.name == table)
    return next(each for each in structs.fields(section.type) if each.name == name)


def is_enabled(config: DeskConfig, name: str) -> bool:
    """Return whether a strategy runs; one of the user's own needs a table for that."""
    table = config.strategy.get(name)
    return bool(getattr(table, "enabled", True) if table is not None else False)
