"""Kite's binary market data frames, both ways: bytes to ticks or states, and ticks to bytes.

A frame is a 16-bit count of packets, each behind its 16-bit length; everything is big-endian and
unsigned. The length alone says what a packet is: 8 LTP, 28 index quote, 32 index full, 44 quote,
184 full. One byte alone is a heartbeat. Source: Kite Connect v3 WebSocket documentation and the
official Python client, whose divisors rule where they differ.
"""

from collections import deque
from typing import Final, final

from librt.strings import BytesWriter, read_i32_be, write_i32_be
from librt.vecs import append, vec
from mypy_extensions import i32, i64

from compiled.market_data.depth_block import pack_depth, price_divisor, read_price
from compiled.market_data.token_index import TokenIndex
from compiled.model.byte_fields import U32, put_u16, put_u32, read_u16, read_u32
from compiled.model.values import SECOND, Tick, nearest

LTP: Final[i64] = 1
QUOTE: Final[i64] = 2
FULL: Final[i64] = 3

# A packet is big-endian words of 32 bits, prices in paise (see `price_divisor`):
#
#     word   0      1     2         3        4       5    6     7     8     9    10
#     ltp    token  ltp                                                               8 bytes
#     index  token  ltp   high      low      open    close chg  (time: word 7)        28, full 32
#     quote  token  ltp   last qty  average  volume  buys sells open  high  low close 44
#
#     full   quote, then 11 last trade, 12 OI, 13 and 14 OI high and low, 15 time, and from byte 64
#            ten levels of 12 bytes (quantity, price, orders as 16 bits, 2 bytes of padding),
#            bids first: 184 in all, 46 words
#
# A record of `LatestTicks` is the longest packet, so that every field has one place.
INDICES: Final[i64] = 9
WORDS: Final[i64] = 46
# Enough bad frames to see a fault of the feed by, and never so many that a broken peer fills the
# memory.
BAD_KEPT: Final = 16
BAD_BYTES: Final = 65_536


def encode_frame(ticks: list[Tick], modes: list[int]) -> bytes:
    """Return the frame an exchange sends for `ticks`, each in its mode.

    A number beyond 32 bits is cut to fit. Raises ValueError where there is not one mode per tick,
    or more ticks than a frame can count.
    """
    if len(ticks) != len(modes) or len(ticks) > 0xFFFF:
        raise ValueError(f"{len(ticks)} ticks with {len(modes)} modes do not make a frame")
    out = BytesWriter()
    put_u16(out, len(ticks))
    for index, tick in enumerate(ticks):
        _put_packet(out, tick, modes[index])
    return out.getvalue()


def _put_packet(out: BytesWriter, tick: Tick, mode: i64) -> None:
    index = tick.token & 0xFF == INDICES
    scale = price_divisor(tick.token)
    if mode == LTP:
        put_u16(out, 8)
    elif mode == QUOTE:
        put_u16(out, 28 if index else 44)
    elif mode == FULL:
        put_u16(out, 32 if index else 184)
    else:
        raise ValueError(f"mode {mode} of token {tick.token} is none of LTP, QUOTE and FULL")
    put_u32(out, tick.token)
    put_u32(out, nearest(tick.ltp * scale))
    if mode == LTP:
        return
    if index:
        _put_index(out, tick, scale)
    else:
        _put_quote(out, tick, scale)
    if mode == FULL:
        if not index:
            put_u32(out, tick.last_trade_ts // SECOND)
            put_u32(out, tick.oi)
            put_u32(out, tick.oi_high)
            put_u32(out, tick.oi_low)
        put_u32(out, tick.ts // SECOND)
        if not index:
            out.write(_depth_of(tick))


def _put_index(out: BytesWriter, tick: Tick, scale: float) -> None:
    for price in (tick.high, tick.low, tick.open, tick.close):
        put_u32(out, nearest(price * scale))
    change = nearest(tick.ltp * scale) - nearest(tick.close * scale)
    # The change is the only signed field: a fall goes out in two's complement.
    put_u32(out, change & U32)


def _put_quote(out: BytesWriter, tick: Tick, scale: float) -> None:
    put_u32(out, tick.last_quantity)
    put_u32(out, nearest(tick.average_price * scale))
    put_u32(out, tick.volume)
    put_u32(out, tick.buy_quantity)
    put_u32(out, tick.sell_quantity)
    for price in (tick.open, tick.high, tick.low, tick.close):
        put_u32(out, nearest(price * scale))


def _depth_of(tick: Tick) -> bytes:
    if len(tick.depth) == 120:
        return tick.depth
    # A tick that came without depth still shows its best bid and ask, as a book of one level.
    bids = [(tick.bid, int(tick.bid_quantity), 0)] if tick.bid_quantity > 0 else []
    asks = [(tick.ask, int(tick.ask_quantity), 0)] if tick.ask_quantity > 0 else []
    return pack_depth(tick.token, bids, asks)


def _read_stamp(data: bytes, at: i64, received: i64) -> i64:
    seconds = read_u32(data, at)
    # An instrument that has not traded has no stamp; the time of receipt keeps it in order with
    # others.
    if seconds == 0:
        return received
    return seconds * SECOND


def _read_tick(data: bytes, at: i64, length: i64, received: i64) -> Tick:
    """Read the packet of `length` bytes at `at`."""
    token = read_u32(data, at)
    scale = price_divisor(token)
    ltp = read_price(data, at + 4, scale)
    if length == 8:
        return Tick(token, received, ltp)
    if length < 44:
        return Tick(
            token,
            _read_stamp(data, at + 28, received) if length == 32 else received,
            ltp,
            high=read_price(data, at + 8, scale),
            low=read_price(data, at + 12, scale),
            open=read_price(data, at + 16, scale),
            close=read_price(data, at + 20, scale),
        )
    tick = Tick(
        token,
        received,
        ltp=ltp,
        volume=read_u32(data, at + 16),
        last_quantity=read_u32(data, at + 8),
        average_price=read_price(data, at + 12, scale),
        buy_quantity=read_u32(data, at + 20),
        sell_quantity=read_u32(data, at + 24),
        open=read_price(data, at + 28, scale),
        high=read_price(data, at + 32, scale),
        low=read_price(data, at + 36, scale),
        close=read_price(data, at + 40, scale),
    )
    if length == 184:
        tick.ts = _read_stamp(data, at + 60, received)
        tick.last_trade_ts = read_u32(data, at + 44) * SECOND
        tick.oi = read_u32(data, at + 48)
        tick.oi_high = read_u32(data, at + 52)
        tick.oi_low = read_u32(data, at + 56)
        tick.bid_quantity = read_u32(data, at + 64)
        tick.bid = read_price(data, at + 68, scale)
        tick.ask_quantity = read_u32(data, at + 124)
        tick.ask = read_price(data, at + 128, scale)
        tick.depth = data[at + 64 : at + 184]
    return tick


@final
class FrameDecoder:
    """Reads frames, and counts those that were not whole.

    `packets` counts the good ones. A packet of no known length is skipped and counted in
    `bad_packets`; a frame that ends before its packets do, or goes on after them, counts in
    `bad_frames`, and its good packets are delivered.
    """

    def __init__(self) -> None:
        self.frames: i64 = 0
        self.packets: i64 = 0
        self.bad_frames: i64 = 0
        self.bad_packets: i64 = 0
        self.heartbeats: i64 = 0
        self.whole = True
        """Whether the last frame read whole."""
        self._bad: deque[bytes] = deque(maxlen=BAD_KEPT)

    def decode(self, frame: bytes, received: i64) -> list[Tick]:
        """Return the ticks of a frame that came at `received` (ns UTC); never raise.

        Of a bad frame they are the good ones. `Tick.ts` is the exchange's time where the packet
        carries one, else `received`.
        """
        ticks: list[Tick] = []
        for at in self.split(frame):
            ticks.append(_read_tick(frame, at, read_u16(frame, at - 2), received))  # noqa: PERF401 - native loop
        return ticks

    def split(self, frame: bytes) -> vec[i64]:
        """Return the offsets of a frame's good packets, and count it.

        The length of a packet stands in the two bytes before its offset.
        """
        found = vec[i64]()
        size: i64 = len(frame)
        self.whole = True
        if size == 1:
            self.heartbeats += 1
            return found
        self.frames += 1
        left = read_u16(frame, 0) if size > 1 else i64(1)
        at: i64 = 2
        good = True
        while left > 0 and at + 2 <= size:
            length = read_u16(frame, at)
            at += 2
            if at + length > size:
                break
            # The length alone tells the kind of a packet. An unknown one is stepped over by its
            # length, so that a new kind does not cost the packets behind it.
            if length == 184 or length == 44 or length == 8 or length == 32 or length == 28:
                found = append(found, at)
            else:
                self.bad_packets += 1
                good = False
            at += length
            left -= 1
        self.packets += len(found)
        if left > 0 or at != size:
            self.bad_frames += 1
            good = False
        self.whole = good
        if not good:
            self._bad.append(frame[:BAD_BYTES])
        return found

    def kept_bad_frames(self) -> list[bytes]:
        """Return the last frames that were not whole, oldest first.

        There are at most 16, each cut at 64 KiB.
        """
        return list(self._bad)


@final
class LatestTicks:
    """The last state of every token, packed as on the wire: 184 bytes a token.

    A packet replaces the fields it carries and leaves the others as they were. An unknown token
    reads as 0.
    """

    def __init__(self) -> None:
        self.decoder = FrameDecoder()
        self._slots = TokenIndex()
        self._words = vec[i32]()
        self._lengths = vec[i64]()
        self._received = vec[i64]()

    def __len__(self) -> int:
        return int(self._slots.count)

    def tokens(self) -> list[int]:
        """Return the tokens seen so far, first seen first."""
        return [self._slots.token(slot) for slot in range(self._slots.count)]

    def update(self, frame: bytes, received: i64) -> i64:
        """Take in a frame that came at `received` (ns UTC); return the number of good packets.

        It never raises.
        """
        found = self.decoder.split(frame)
        for at in found:
            slot = self._token_slot(read_u32(frame, at))
            length = read_u16(frame, at - 2)
            words = self._words
            base = slot * WORDS
            for word in range(length // 4):
                words[base + word] = read_i32_be(frame, at + 4 * word)
            # A poorer packet after a richer one leaves the rest of the record in place, and it
            # stays readable.
            self._lengths[slot] = max(self._lengths[slot], length)
            self._received[slot] = received
        return len(found)

    def received(self, token: i64) -> i64:
        """Return when the last packet of `token` came, ns UTC."""
        slot = self._slots.find(token)
        return self._received[slot] if slot >= 0 else i64(0)

    def ltp(self, token: i64) -> float:
        """Return the last price, rupees."""
        return float(self._read_word(token, 1)) / price_divisor(token)

    def volume(self, token: i64) -> i64:
        """Return the day's cumulative volume, shares; -1 where no packet had one."""
        slot = self._slots.find(token)
        return self._read_word(token, 4) if slot >= 0 and self._lengths[slot] >= 44 else i64(-1)

    def bid(self, token: i64) -> float:
        """Return the best bid, rupees; 0.0 where there is none."""
        return float(self._read_word(token, 17)) / price_divisor(token)

    def ask(self, token: i64) -> float:
        """Return the best ask, rupees; 0.0 where there is none."""
        return float(self._read_word(token, 32)) / price_divisor(token)

    def tick(self, token: i64) -> Tick | None:
        """Return the last state of `token` as a tick, in the richest mode it came in."""
        slot = self._slots.find(token)
        if slot < 0:
            return None
        out = BytesWriter()
        for word in range(slot * WORDS, (slot + 1) * WORDS):
            write_i32_be(out, self._words[word])
        return _read_tick(out.getvalue(), 0, self._lengths[slot], self._received[slot])

    def _read_word(self, token: i64, word: i64) -> i64:
        slot = self._slots.find(token)
        return i64(self._words[slot * WORDS + word]) & U32 if slot >= 0 else i64(0)

    def _token_slot(self, token: i64) -> i64:
        slot = self._slots.add(token)
        if slot == len(self._lengths):
            self._lengths = append(self._lengths, 0)
            self._received = append(self._received, 0)
            words = self._words
            for _ in range(WORDS):
                words = append(words, 0)
            self._words = words
        return slot
