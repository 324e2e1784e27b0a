"""A backtest as one page of HTML that needs nothing else: no network, no library, no server."""

from engine.backtest.report.candles import Candles
from engine.backtest.report.page import html

__all__ = ["Candles", "html"]
