"""A backtest as one page of HTML that needs nothing else: no network, no library, no server."""

from engine.backtest.report.report_page import html
from engine.backtest.report.trade_candles import Candles

__all__ = ["Candles", "html"]
