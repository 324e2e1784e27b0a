"""A recording of the feed: its frames, when the kernel took them, and the bars that resulted.

The kernel takes frames later than they come, and its timers close bars. So every timer is noted
with how many frames had been taken before it, and the recording can be played through another
kernel in the very order of the first.
"""

import json
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple, final

from compiled.market_data.tick_filter import TickFilter
from compiled.model.events import AddedInstrument, BandUpdate, TickBatch, TimerEvent
from compiled.model.values import Bar, Instrument, TradingHours
from compiled.trading.digest import DecisionDigest
from compiled.trading.kernel import Kernel, KernelSetup
from compiled.trading.risk import RiskLimits
from engine.errors import DataError
from engine.ports import FeedRecord

# In every header: a later version has to refuse what it would read otherwise.
FORMAT: Final = 1
COUNT: Final = struct.Struct("<Q")
BAND: Final = struct.Struct("<QIdd")
LOST: Final = struct.Struct("<QQ")


class RecordKind(IntEnum):
    """The kind of a record, with its payload.

    Its time is that of receipt or of the desk's clock.
    """

    META = 1
    """A desk's day begins: JSON. With connection 1 it is repeated at the head of a file."""
    FRAME = 2
    """A binary frame that went straight to the desk."""
    HELD = 3
    """A binary frame that was held back, since the desk was late."""
    RELEASE = 4
    """What was held goes on, the newest packet of each token.

    How many frames that made (`COUNT`).
    """
    TEXT = 5
    """A text message."""
    BEAT = 6
    """A heartbeat."""
    LINK = 7
    """A connection came up, or what ended it."""
    TIMER = 8
    """The kernel took a timer after so many frames with ticks of this day (`COUNT`)."""
    BAND = 9
    """The kernel took a price band after so many frames: that, token, lower, upper in rupees."""
    END = 10
    """The desk's day is over: what it came to, JSON."""
    LOST = 11
    """So many frames for the kernel, and so many records in all, are not in the recording."""
    ADDED = 12
    """The kernel took up an instrument after so many frames: that, then its header, JSON."""


NotedEvent = TimerEvent | BandUpdate | AddedInstrument
"""What the kernel took besides frames."""


class RecordedEvent(NamedTuple):
    """One recorded thing; `ts` in ns UTC, `connection` 0 for the desk's own notes."""

    kind: int
    connection: int
    ts: int
    payload: bytes


@final
class BarDigest:
    """The hash over closed bars in their order: equal recordings have equal ones."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = DecisionDigest()

    def add_bars(self, bars: Sequence[Bar]) -> None:
        """Take in bars as they were closed."""
        digest = self._digest
        self.count += len(bars)
        for bar in bars:
            digest.put(bar.token)
            digest.put(bar.start)
            digest.put(bar.span)
            for price in (bar.open, bar.high, bar.low, bar.close):
                digest.put_price(price)
            digest.put(bar.volume)
            # Ticks are in it as well: a frame lost on the way can leave every price as it was.
            digest.put(bar.ticks)

    def hex(self) -> str:
        """Return the hash so far."""
        return self._digest.hex()


@final
class FeedRecording:
    """The desk's part in the recording of its feed.

    It notes how its day begins, when its kernel takes frames and timers, and how the day ends.
    """

    def __init__(
        self,
        record: FeedRecord,
        kernel: Kernel,
        mode: str,
        broker: str,
        spans: Sequence[int],
    ) -> None:
        self._record = record
        self._kernel = kernel
        self._mode = mode
        self._broker = broker
        self._spans = spans
        self._bars = BarDigest()
        self._taken = 0

    def begin_day(self, now: int) -> None:
        """Begin a day, which all later records belong to."""
        self._record.put(
            RecordKind.META,
            0,
            now,
            json.dumps(
                recording_header(self._kernel, self._mode, self._broker, self._spans)
            ).encode(),
        )

    def note_event(self, event: object) -> None:
        """Note the kernel's next event, where bars follow from it."""
        if isinstance(event, TickBatch):
            self._taken += 1
        elif isinstance(event, TimerEvent):
            # answers have moved its time on, too
            reached = max(int(self._kernel.order_store.now), int(event.ts))
            self._record.put(RecordKind.TIMER, 0, reached, COUNT.pack(self._taken))
        elif isinstance(event, BandUpdate):
            band = BAND.pack(self._taken, int(event.token), event.lower, event.upper)
            self._record.put(RecordKind.BAND, 0, int(event.ts), band)
        elif isinstance(event, AddedInstrument):
            event.instrument.hours = event.hours
            header = json.dumps(_instrument_header(event.instrument)).encode()
            self._record.put(RecordKind.ADDED, 0, int(event.ts), COUNT.pack(self._taken) + header)

    def add_bars(self, bars: Sequence[Bar]) -> None:
        """Take in the bars that have closed."""
        self._bars.add_bars(bars)

    def end_day(self, now: int) -> None:
        """Write down the day's bars."""
        totals = {
            "taken": self._taken,
            "ticks": int(self._kernel.state.tick_count),
            "bars": self._bars.count,
            "digest": self._bars.hex(),
        }
        self._record.put(RecordKind.END, 0, now, json.dumps(totals).encode())


def recording_header(
    kernel: Kernel, mode: str, broker: str, spans: Sequence[int]
) -> dict[str, object]:
    """Return the facts another kernel needs to build the same bars.

    `broker` is the name of the one whose messages are recorded.
    """
    return {
        "format": FORMAT,
        "mode": mode,
        "broker": broker,
        "open": int(kernel.state.open),
        "close": int(kernel.state.close),
        "grace": int(kernel.market_feed.grace),
        "ahead": int(kernel.market_feed.tick_filter.ahead)
        if kernel.market_feed.tick_filter is not None
        else 0,
        "spans": list(spans),
        "instruments": [_instrument_header(each) for each in kernel.view.instruments()],
    }


def _instrument_header(each: Instrument) -> dict[str, object]:
    hours = each.hours
    return {
        "token": int(each.token),
        "exchange": each.exchange,
        "symbol": each.symbol,
        "tick": each.tick,
        "lot": int(each.lot),
        "kind": each.kind,
        "lower": each.lower,
        "upper": each.upper,
        "close": each.close,
        "hours": [int(hours.opens), int(hours.closes), int(hours.pause), int(hours.resumes)],
    }


def instruments_of(meta: dict[str, Any]) -> list[Instrument]:
    """Return the instruments that a recorded desk began its day with."""
    return [_headed_instrument(each) for each in meta["instruments"]]


def _headed_instrument(each: dict[str, Any]) -> Instrument:
    return Instrument(
        each["token"],
        each["exchange"],
        symbol=each["symbol"],
        tick=each["tick"],
        lot=each["lot"],
        kind=each["kind"],
        lower=each["lower"],
        upper=each["upper"],
        close=each["close"],
    )


def added_instrument(ts: int, payload: bytes) -> AddedInstrument:
    """Return what a record of kind ADDED holds.

    Raise `DataError` where it holds something else.
    """
    try:
        header = json.loads(payload[COUNT.size :])
        return AddedInstrument(ts, _headed_instrument(header), TradingHours(*header["hours"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"the recording does not say which instrument was added ({type(error).__name__})"
        ) from None


def kernel_of(meta: dict[str, Any]) -> Kernel:
    """Return a kernel without strategies that builds the bars of a recorded desk.

    Raise `DataError` for a header that no desk has written.
    """
    try:
        if meta["format"] != FORMAT:
            raise DataError(
                f"the recording has format {meta['format']}; this version reads {FORMAT}"
            )
        instruments = instruments_of(meta)
        hours = {each["token"]: TradingHours(*each["hours"]) for each in meta["instruments"]}
        setup = KernelSetup(
            meta["open"],
            meta["close"],
            0,
            RiskLimits(),
            meta["spans"],
            grace=meta["grace"],
            hours=hours,
        )
        kernel = Kernel(setup, instruments, [], {})
        if meta["ahead"]:
            kernel.market_feed.tick_filter = TickFilter(meta["ahead"])
        return kernel  # noqa: TRY300  what it is made of is what may be wrong
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"the recording does not say how its day began ({type(error).__name__}: {error})"
        ) from None
