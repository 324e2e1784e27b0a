"""Indicators of a chart, the same objects as those of strategies: over the prices, or below."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from compiled.indicators import (
    ADX,
    ATR,
    CCI,
    EMA,
    MACD,
    MFI,
    OBV,
    PSAR,
    ROC,
    RSI,
    SMA,
    VWAP,
    WMA,
    Bollinger,
    Donchian,
    Ichimoku,
    Indicator,
    Keltner,
    Stochastic,
    Supertrend,
    ZScore,
)
from engine.board_rows import BarRow
from engine.market.calendar import ist_day


class StudyPart(NamedTuple):
    """An indicator of a study, and what is drawn of it: (output, label, tone)."""

    make: Callable[[], Indicator]
    lines: tuple[tuple[str, str, str], ...]


class ChartStudy(NamedTuple):
    """One choice of indicators; `bounds` and `guides` are of a scale that does not move."""

    name: str
    parts: tuple[StudyPart, ...] = ()
    bounds: tuple[float, float] | None = None
    guides: tuple[float, ...] = ()


class StudyLine(NamedTuple):
    """One line of a study, a value a bar; None where the indicator is not ready."""

    label: str
    tone: str
    values: list[float | None]


def _single_line(make: Callable[[], Indicator], label: str, tone: str = "focus") -> StudyPart:
    return StudyPart(make, (("value", label, tone),))


_BANDS: Final = (
    ("upper", "upper", "title"),
    ("value", "middle", "focus"),
    ("lower", "lower", "title"),
)

OVERLAYS: Final = (
    ChartStudy(
        "EMA 9 21",
        (_single_line(lambda: EMA(9), "EMA 9"), _single_line(lambda: EMA(21), "EMA 21", "notice")),
    ),
    ChartStudy(
        "EMA 50 200",
        (
            _single_line(lambda: EMA(50), "EMA 50"),
            _single_line(lambda: EMA(200), "EMA 200", "notice"),
        ),
    ),
    ChartStudy(
        "SMA WMA 20",
        (
            _single_line(lambda: SMA(20), "SMA 20"),
            _single_line(lambda: WMA(20), "WMA 20", "notice"),
        ),
    ),
    ChartStudy("VWAP", (_single_line(VWAP, "VWAP"),)),
    ChartStudy("Bollinger 20 2", (StudyPart(lambda: Bollinger(20, 2.0), _BANDS),)),
    ChartStudy("Keltner 20 2", (StudyPart(lambda: Keltner(20, 2.0), _BANDS),)),
    ChartStudy("Donchian 20", (StudyPart(lambda: Donchian(20), _BANDS),)),
    ChartStudy("Supertrend 10 3", (_single_line(lambda: Supertrend(10, 3.0), "Supertrend"),)),
    ChartStudy("PSAR", (_single_line(PSAR, "PSAR"),)),
    ChartStudy(
        "Ichimoku 9 26 52",
        (
            StudyPart(
                Ichimoku,
                (
                    ("value", "conversion", "focus"),
                    ("base", "base", "notice"),
                    ("span_a", "span A", "title"),
                    ("span_b", "span B", "dim"),
                ),
            ),
        ),
    ),
    ChartStudy("no indicator"),
)
"""Studies over the prices; the first is shown at first."""

BELOW: Final = (
    ChartStudy("nothing below"),
    ChartStudy("RSI 14", (_single_line(lambda: RSI(14), "RSI 14"),), (0.0, 100.0), (30.0, 70.0)),
    ChartStudy(
        "MACD 12 26 9",
        (StudyPart(MACD, (("value", "MACD", "focus"), ("signal", "signal", "notice"))),),
        guides=(0.0,),
    ),
    ChartStudy(
        "Stochastic 14 3 3",
        (StudyPart(Stochastic, (("value", "%K", "focus"), ("signal", "%D", "notice"))),),
        (0.0, 100.0),
        (20.0, 80.0),
    ),
    ChartStudy("ATR 14", (_single_line(lambda: ATR(14), "ATR 14"),)),
    ChartStudy(
        "ADX 14",
        (
            StudyPart(
                ADX,
                (("value", "ADX", "focus"), ("plus", "+DI", "notice"), ("minus", "-DI", "title")),
            ),
        ),
        (0.0, 100.0),
        (25.0,),
    ),
    ChartStudy("CCI 20", (_single_line(lambda: CCI(20), "CCI 20"),), guides=(-100.0, 100.0)),
    ChartStudy("MFI 14", (_single_line(lambda: MFI(14), "MFI 14"),), (0.0, 100.0), (20.0, 80.0)),
    ChartStudy("ROC 12", (_single_line(lambda: ROC(12), "ROC 12"),), guides=(0.0,)),
    ChartStudy("OBV", (_single_line(OBV, "OBV"),)),
    ChartStudy("z-score 20", (_single_line(lambda: ZScore(20), "z 20"),), guides=(-2.0, 0.0, 2.0)),
)
"""Studies with a scale of their own."""


def study_lines(study: ChartStudy, bars: Sequence[BarRow]) -> list[StudyLine]:
    """Return the lines of a study over bars, oldest first.

    Over all of them, not those seen: one that began at the left edge would be another average.
    """
    return [line for part in study.parts for line in _part_lines(part, bars)]


def _part_lines(part: StudyPart, bars: Sequence[BarRow]) -> list[StudyLine]:
    indicator = part.make()
    names = indicator.names()
    lines = [StudyLine(label, tone, []) for _, label, tone in part.lines]
    # Looked up once: an indicator is asked for its outputs at every bar.
    places = [names.index(output) for output, _, _ in part.lines]
    day = None
    for bar in bars:
        if isinstance(indicator, VWAP) and day != (day := ist_day(bar.start)):
            indicator.reset()
        indicator.step(bar.high, bar.low, bar.close, float(bar.volume))
        for line, place in zip(lines, places, strict=True):
            line.values.append(indicator.output(place) if indicator.ready else None)
    return lines
