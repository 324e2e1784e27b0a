"""The broker's history into the store: resumable, at the broker's pace, with progress on stderr."""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple, final

from brokers.backfill.bar_download import (
    DownloadProgress,
    DownloadResult,
    WantedBars,
    download,
    request_windows,
)
from brokers.connection import ConnectionTerms
from brokers.registry import connect
from compiled.model.values import Bar, Instrument
from engine.config.schema import DeskConfig
from engine.errors import DataError, OperatorError
from engine.exit_codes import DONE, FAILED
from engine.history.bar_import import day_starts
from engine.history.bar_series import from_bars, to_bars
from engine.history.expected_bars import DAY_S, ExpectedBars, missing_starts
from engine.market.calendar import ist_day, midnight
from engine.ports import BarStore
from engine.texts import plain_text
from tui.commands.shared.progress_line import StatusLine
from tui.run.credentials import BrokerEndpoint, open_endpoint
from tui.run.exchange_clock import clock_at
from tui.run.settings import calendar_of

VENDOR = "vendor"
TOLD_S = 1.0
NAMED = 5


class DownloadState(NamedTuple):
    """State of a download: stored bars, expected ones missing, parts the broker did not give."""

    symbol: str
    span: int
    version: str
    bars: int
    missing: int
    not_had: int


@final
class WindowLine(StatusLine):
    """Says how far a download is: windows, bars, bars a second, time left."""

    def __init__(self, total: int) -> None:
        super().__init__(TOLD_S, TOLD_S)
        self._total, self._done, self._bars = total, 0, 0

    def add_window(self, bars: int) -> None:
        """Count one window; report at most once a second, and the last."""
        self._done, self._bars = self._done + 1, self._bars + bars
        # the last line stays, whenever it comes
        over = self._done >= self._total
        if self.is_due or over:
            took = self.elapsed_s
            left = took / self._done * (self._total - self._done)
            self.write_status(
                f"{self._done} of {self._total} windows, {self._bars:,} bars, "
                f"{self._bars / took:,.0f} a second, {left:.0f} s left"
            )
        if over:
            self.close(keep=True)


def fetch_history(
    config: DeskConfig,
    store: BarStore,
    folder: Path,
    names: Sequence[str],
    first: date,
    last: date,
    span: int,
    exchange: str,
    *,
    as_json: bool,
) -> int:
    """Store the broker's bars of the days from `first` to `last`; return 1 for a missing part."""
    with open_endpoint(config) as place:
        results = asyncio.run(
            _fetch_windows(
                config,
                place,
                store=store,
                folder=folder,
                names=names,
                first=first,
                last=last,
                span=span,
                exchange=exchange,
            )
        )
    if as_json:
        sys.stdout.write(json.dumps([state._asdict() for state in results]) + "\n")
    else:
        for state in results:
            left = f", {state.not_had} parts were not to be had: ask again" if state.not_had else ""
            line = (
                f"{state.symbol}  {state.bars:,} bars, {state.missing:,} expected are missing{left}"
            )
            sys.stdout.write(plain_text(line) + "\n")
    return FAILED if any(state.not_had for state in results) else DONE


async def _fetch_windows(
    config: DeskConfig,
    place: BrokerEndpoint,
    store: BarStore,
    folder: Path,
    names: Sequence[str],
    first: date,
    last: date,
    span: int,
    exchange: str,
) -> list[DownloadState]:
    clock, calendar = clock_at(place.rest), calendar_of(config)
    # at the broker's rates: a download shares them with a running desk
    terms = ConnectionTerms(settings=config.broker, clock=clock)
    connection = connect(config.broker.name, place, terms)
    broker, history_days = connection.broker, connection.rules.history_days
    expected = ExpectedBars(calendar, exchange)
    try:
        wanted = [
            WantedBars(instrument, span, midnight(first), midnight(last + timedelta(days=1)))
            for instrument in _named_instruments(
                await broker.instruments(exchange), names, exchange
            )
        ]
        # beside the bars, by exchange: what the broker has not is not asked for again
        progress = DownloadProgress(folder / f"download-{exchange}.jsonl")
        todo = sum(
            1
            for each in wanted
            for _ in request_windows(each, progress.missing_parts(each), history_days)
        )
        line = WindowLine(todo)

        def keep(each: WantedBars, bars: list[Bar]) -> None:
            if bars:
                store.write(
                    # each window is stored as it comes: whatever ends the download costs one window
                    _session_bars(bars, span, expected),
                    {int(each.instrument.token): each.instrument.symbol},
                    VENDOR,
                )
            line.add_window(len(bars))

        results = await download(
            broker,
            wanted,
            keep=keep,
            progress=progress,
            calendar=calendar,
            clock=clock,
            history_days=history_days,
        )
        # here, once: folding after each window would rewrite the files as often
        store.fold()
    finally:
        await broker.close()
    today = ist_day(clock.now())
    return [_download_state(store, result, expected, today) for result in results]


def _download_state(
    store: BarStore, result: DownloadResult, expected: ExpectedBars, today: date
) -> DownloadState:
    """Return how far one instrument is; bars it could not have yet are not missing."""
    wanted, symbol = result.wanted, result.wanted.instrument.symbol
    starts = store.starts(symbol, wanted.span, VENDOR)
    starts = starts[(starts >= wanted.start) & (starts < wanted.end)]
    # today's bars are not all there yet
    last = min(ist_day(wanted.end - 1), today - timedelta(days=1))
    lacking = missing_starts(starts, expected.between(ist_day(wanted.start), last, wanted.span))
    # what begins today is only due tomorrow
    unread = sum(1 for since, _ in result.unread if since < midnight(today))
    return DownloadState(
        symbol, wanted.span, version=VENDOR, bars=len(starts), missing=len(lacking), not_had=unread
    )


def _session_bars(bars: list[Bar], span: int, expected: ExpectedBars) -> list[Bar]:
    """Return bars as the store has them: a day's bar starts with its session."""
    # the broker dates bars of a day at midnight, the history at the session's opening
    if span < DAY_S:
        return bars
    series = from_bars(bars)
    return to_bars(series._replace(start=day_starts(series.start, expected)), span)


def _named_instruments(
    listed: Sequence[Instrument], names: Sequence[str], exchange: str
) -> list[Instrument]:
    by_symbol = {each.symbol: each for each in listed}
    if strange := [name for name in names if name not in by_symbol]:
        more = f" and {len(strange) - NAMED} more" if len(strange) > NAMED else ""
        raise DataError(
            f"{exchange} lists no {', '.join(strange[:NAMED])}{more}: see patang instruments find"
        )
    # an empty list would mean all of the exchange: thousands of requests
    if not names:
        raise OperatorError("whose bars? name them: --symbols INFY,SBIN or --symbols @FILE")
    return [by_symbol[name] for name in names]
