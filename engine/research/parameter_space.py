"""The space of a sweep: one axis for each parameter, and the points that a sampler takes of it."""

import itertools
import math
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from engine.errors import ConfigError

Value = int | float | bool | str
Point = dict[str, Value]

MOST_POINTS: Final = 1_000_000
"""A grid beyond this would take days to run, and gigabytes to list."""
DRAWS_A_POINT: Final = 100
LARGEST: Final = 10**18
FORMS: Final = "NAME=FROM:TO:STEP, NAME=A,B,C, or NAME=LOW:HIGH for a random or tpe sampler"


class ParameterAxis(NamedTuple):
    """One parameter's values in order; without any it is continuous, from `low` to `high`."""

    name: str
    values: tuple[Value, ...]
    low: float = 0.0
    high: float = 0.0

    @property
    def is_continuous(self) -> bool:
        """Return whether any value between two bounds may be taken."""
        return not self.values

    @property
    def is_numeric(self) -> bool:
        """Return whether its values have an order that means something."""
        return all(
            isinstance(each, (int, float)) and not isinstance(each, bool) for each in self.values
        )


def read_axis(text: str) -> ParameterAxis:
    """Return the axis that a text stands for; raise `ConfigError` naming it and the mend."""
    name, sign, said = (part.strip() for part in text.partition("="))
    if not sign or not name or not said:
        raise ConfigError(f"--param {text}: expected {FORMS}")
    parts = [part.strip() for part in said.split(":")]
    try:
        if len(parts) == 3:
            return ParameterAxis(name, _stepped_values(*(Decimal(part) for part in parts)))
        if len(parts) == 2:
            return ParameterAxis(name, (), *_axis_bounds(*(float(Decimal(part)) for part in parts)))
    except ArithmeticError:  # what is no number
        raise ConfigError(f"--param {text}: expected {FORMS}") from None
    except ValueError as error:
        raise ConfigError(f"--param {text}: {error}; expected {FORMS}") from None
    if len(parts) > 3:
        raise ConfigError(f"--param {text}: expected {FORMS}")
    values = tuple(dict.fromkeys(_plain_value(part) for part in said.split(",") if part.strip()))
    if not values:
        raise ConfigError(f"--param {text}: expected {FORMS}")
    return ParameterAxis(name, values)


def _axis_bounds(low: float, high: float) -> tuple[float, float]:
    """Return the bounds of a continuous axis; raise `ValueError` where they are none."""
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError("two numbers, the lower one first")
    return low, high


def _stepped_values(first: Decimal, last: Decimal, step: Decimal) -> tuple[Value, ...]:
    """Return first, first + step … up to and with last; exact, as decimals are."""
    # A whole number of a million digits would take minutes to make.
    if not all(each.is_finite() and abs(each) < LARGEST for each in (first, last, step)):
        raise ValueError("numbers below 10^18")
    if step <= 0:
        raise ValueError("a step is above 0")
    if last < first:
        raise ValueError("the lower number first")
    if (last - first) / step > MOST_POINTS:
        raise ValueError(f"more than {MOST_POINTS:,} values, take a wider step")
    count = int((last - first) // step) + 1
    values = [first + step * number for number in range(count)]
    if all(each == each.to_integral_value() for each in (first, step)):
        return tuple(int(each) for each in values)
    return tuple(float(each) for each in values)


def _plain_value(text: str) -> Value:
    """Return a value as TOML reads it, or else the text itself."""
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text.strip()
    return value if isinstance(value, (int, float, bool, str)) else text.strip()


class ParameterSpace:
    """The axes of a sweep, by the names they were given in order."""

    def __init__(self, axes: Sequence[ParameterAxis]) -> None:
        """Raise `ConfigError` for a parameter that is given twice."""
        names = [axis.name for axis in axes]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigError(f"--param {twice[0]} is given twice: name all its values in one")
        self.axes = list(axes)

    @property
    def size(self) -> int:
        """Return how many points the grid has."""
        return math.prod(len(axis.values) for axis in self.axes)

    def grid(self) -> Iterator[Point]:
        """Yield every point, the last axis fastest; raise `ConfigError` where there is no grid."""
        if open_axes := [axis.name for axis in self.axes if axis.is_continuous]:
            raise ConfigError(
                f"--param {open_axes[0]}: a grid needs a step, {open_axes[0]}=FROM:TO:STEP; "
                "or take --sampler random or tpe"
            )
        if self.size > MOST_POINTS:
            raise ConfigError(
                f"the grid has {self.size:,} points, more than {MOST_POINTS:,}: take wider steps, "
                "or --sampler random with --trials"
            )
        names = [axis.name for axis in self.axes]
        for values in itertools.product(*(axis.values for axis in self.axes)):
            yield dict(zip(names, values, strict=True))

    def random_points(self, count: int, seed: int) -> list[Point]:
        """Return that many different points, or all that are found, the same for the same seed."""
        dice = random.Random(seed)  # noqa: S311  a sample, no secret
        closed = not any(axis.is_continuous for axis in self.axes)
        if closed and self.size <= count:
            return list(self.grid())
        found: dict[tuple[Value, ...], Point] = {}
        # Between two bounds that all but touch there are few numbers: it must not look for ever.
        for _ in range(DRAWS_A_POINT * count):
            if len(found) == count:
                break
            values = tuple(
                dice.uniform(axis.low, axis.high)
                if axis.is_continuous
                else dice.choice(axis.values)
                for axis in self.axes
            )
            found.setdefault(
                values, dict(zip((axis.name for axis in self.axes), values, strict=True))
            )
        return list(found.values())


def point_text(point: Mapping[str, Value]) -> str:
    """Return a point as a line: `fast=5 slow=60`."""
    return " ".join(f"{name}={value}" for name, value in point.items())
