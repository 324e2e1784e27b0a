"""Every indicator under one name, and the batch form of all of them."""

from librt.vecs import vec
from mypy_extensions import i64

from compiled.indicators.price import (
    EMA,
    MACD,
    ROC,
    RSI,
    SMA,
    WMA,
    Bollinger,
    Cross,
    Indicator,
    ZScore,
)
from compiled.indicators.range_volume import ATR, CCI, MFI, OBV, VWAP, Donchian, Keltner, Stochastic
from compiled.indicators.rolling import zero_vec
from compiled.indicators.trend import ADX, PSAR, Ichimoku, Supertrend

__all__ = [
    "ADX",
    "ATR",
    "CCI",
    "EMA",
    "MACD",
    "MFI",
    "OBV",
    "PSAR",
    "ROC",
    "RSI",
    "SMA",
    "VWAP",
    "WMA",
    "Bollinger",
    "Cross",
    "Donchian",
    "Ichimoku",
    "Indicator",
    "Keltner",
    "Stochastic",
    "Supertrend",
    "ZScore",
    "batch",
    "series",
]


def batch(
    indicator: Indicator, high: vec[float], low: vec[float], close: vec[float], volume: vec[float]
) -> list[vec[float]]:
    """Feed an indicator with bars, oldest first.

    Return each of its `names` as a series of the same length.

    Values before `ready` are 0.0. An indicator that has seen bars before goes on from there.
    """
    count = len(close)
    outputs: i64 = len(indicator.names())
    # One block for all outputs, cut at the end: the loop over the bars allocates nothing.
    flat = zero_vec(outputs * count)
    for i in range(count):
        indicator.step(high[i], low[i], close[i], volume[i])
        for k in range(outputs):
            flat[k * count + i] = indicator.output(k)
    return [flat[k * count : (k + 1) * count] for k in range(outputs)]


def series(indicator: Indicator, prices: vec[float]) -> list[vec[float]]:
    """Feed an indicator of one price series; return as `batch` does."""
    return batch(indicator, prices, prices, prices, prices)
