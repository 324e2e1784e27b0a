"""A sweep as it is asked for and as it is kept: request, manifest, and the trials of its points."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from engine.config.disk_places import desk_paths
from engine.config.schema import DeskConfig
from engine.errors import DataError
from engine.research.sweep_run import NamedTrial
from engine.research.trials import (
    PORTFOLIO,
    StudyTerms,
    SweepPoint,
    SweepRow,
    TrialBasis,
    TrialResult,
    TrialWindow,
    trial_id,
)
from tui.commands.backtest.backtest_request import BacktestRequest

SamplerName = Literal["grid", "random", "tpe"]


class SweepRequest(NamedTuple):
    """Request for a sweep: a backtest's, the axes, and how points are taken of them."""

    backtest: BacktestRequest
    axes: tuple[str, ...]
    sampler: SamplerName = "grid"
    trials: int = 0
    seed: int = 7
    portfolio: bool = False
    objective: str = "sharpe"
    study: StudyTerms = StudyTerms()
    timeframes: tuple[int, ...] = ()
    prune: float = 0.0


class SweepManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of a sweep: all that its trials follow from."""

    name: str
    made: str
    request: object
    basis: TrialBasis
    bars: str
    """Hash of the file of bars."""
    symbols: list[str]
    span: int
    points: int
    native: bool
    command: str
    window: TrialWindow = TrialWindow()
    portfolio: bool = False
    objective: str = "sharpe"
    study: StudyTerms = StudyTerms()
    wanted: int = 0
    """Trials at most, of all points and symbols."""
    days: list[date] = []
    """The sessions of every trial."""
    warnings: list[str] = []
    whole: bool = False
    """Whether every trial has been run."""

    @property
    def traded(self) -> list[str]:
        """Return the symbols of the trials of a point."""
        return [PORTFOLIO] if self.portfolio else self.symbols


class SweepOutcome(NamedTuple):
    """The result of a sweep."""

    manifest: SweepManifest
    rows: list[SweepRow]
    refused: list[SweepPoint]
    resumed: int
    folder: Path
    missing: int = 0
    """Trials that the journal of a whole sweep has not."""

    @property
    def is_partial(self) -> bool:
        """Return whether there are trials that were asked for beyond its rows."""
        return not self.manifest.whole or self.missing > 0


def rows_of(
    manifest: SweepManifest, points: Iterable[SweepPoint], results: Mapping[str, TrialResult]
) -> list[SweepRow]:
    """Return the trials of points that have a result, in the order of the points."""
    return [
        SweepRow(
            name,
            trial,
            point.timeframe,
            results[name],
            f"pruned after {point.pruned} of {len(manifest.traded)} symbols"
            if point.pruned
            else "",
        )
        for point in points
        for name, trial in named_trials(manifest, point)
        if name in results
    ]


def unwanted_trials(manifest: SweepManifest, points: Sequence[SweepPoint]) -> int:
    """Return how many trials are not wanted any more, as their points were refused or given up."""
    symbols = len(manifest.traded)
    refused = sum(symbols for point in points if point.refusal)
    return refused + sum(symbols - point.pruned for point in points if point.pruned)


def named_trials(
    manifest: SweepManifest, point: SweepPoint, symbols: Sequence[str] = ()
) -> Iterator[NamedTrial]:
    """Yield the trials of a point with their names; without symbols, those of all."""
    for trial in point.trials(symbols or manifest.traded, manifest.window):
        yield trial_id(trial, manifest.basis), trial


def plain_request(request: SweepRequest) -> object:
    """Return a request as JSON has it."""
    return msgspec.to_builtins(request, enc_hook=str)


def read_sweep_request(manifest: SweepManifest) -> SweepRequest:
    """Return the request of a sweep that was made; raise `DataError`."""

    def path_of(kind: type, text: object) -> object:
        return Path(str(text)) if kind is Path else text

    try:
        return msgspec.convert(manifest.request, SweepRequest, dec_hook=path_of)
    except msgspec.ValidationError as error:
        raise DataError(f"sweep {manifest.name} is of another patang: {error}") from None


def sweeps_folder(config: DeskConfig) -> Path:
    """Return where sweeps are kept."""
    return desk_paths(config, os.environ).state / "sweeps"
