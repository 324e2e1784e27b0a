"""Frames against the official client's parser, bytes written by hand, and damage."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiled.adapters.kite_frames import FULL, LTP, QUOTE, FrameDecoder, LatestTicks, encode_frame
from compiled.market_data.depth_block import depth_levels, pack_depth, price_divisor
from compiled.market_data.token_index import TokenIndex
from compiled.model.values import Tick

S = 1_000_000_000
NOW = 1_759_808_700 * S + 123
WORDS = {8: 1, 28: 6, 32: 7, 44: 10}
FIELDS = [
    "token",
    "ts",
    "ltp",
    "volume",
    "last_quantity",
    "average_price",
    "buy_quantity",
    "sell_quantity",
    "open",
    "high",
    "low",
    "close",
    "last_trade_ts",
    "oi",
    "oi_high",
    "oi_low",
    "bid",
    "bid_quantity",
    "ask",
    "ask_quantity",
    "depth",
]


def values(tick):
    return {name: getattr(tick, name) for name in FIELDS}


def frame_of(*packets):
    return struct.pack(">H", len(packets)) + b"".join(
        struct.pack(">H", len(p)) + p for p in packets
    )


def plain(token=256_265, ltp=2_514_165):
    return struct.pack(">II", token, ltp)


u32 = st.one_of(
    st.integers(0, 2**32 - 1),
    st.integers(0, 10**6),
    st.sampled_from([0, 2**31 - 1, 2**31, 2**32 - 1]),
)
tokens = st.builds(
    lambda number, segment: number << 8 | segment, st.integers(0, 2**24 - 1), st.integers(1, 12)
)
stamps = st.integers(0, 2**31 - 1)


@st.composite
def packets(draw, length=None):
    length = length or draw(st.sampled_from([8, 28, 32, 44, 184]))
    token = draw(tokens)
    if length != 184:
        words = [draw(u32) for _ in range(WORDS[length])]
        if length == 32:
            words[-1] = draw(stamps)
        return struct.pack(f">I{len(words)}I", token, *words)
    head = [draw(u32) for _ in range(10)] + [
        draw(stamps),
        draw(u32),
        draw(u32),
        draw(u32),
        draw(stamps),
    ]
    depth = b"".join(
        struct.pack(">IIHH", draw(u32), draw(u32), draw(st.integers(0, 65_535)), 0)
        for _ in range(10)
    )
    return struct.pack(">I15I", token, *head) + depth


frames = st.lists(packets(), max_size=8).map(lambda made: frame_of(*made))


@pytest.fixture(scope="module")
def official():
    from kiteconnect import KiteTicker

    return KiteTicker("key", "token")._parse_binary


def official_levels(side):
    return [(d["price"], d["quantity"], d["orders"]) for d in side if d["quantity"]]


def assert_same(tick, theirs):
    assert (tick.token, tick.ltp) == (theirs["instrument_token"], theirs["last_price"])
    ohlc = theirs.get("ohlc", dict.fromkeys(("open", "high", "low", "close"), 0.0))
    assert {name: getattr(tick, name) for name in ohlc} == ohlc
    assert tick.volume == theirs.get("volume_traded", -1)
    assert tick.last_quantity == theirs.get("last_traded_quantity", 0)
    assert tick.average_price == theirs.get("average_traded_price", 0.0)
    assert tick.buy_quantity == theirs.get("total_buy_quantity", 0)
    assert tick.sell_quantity == theirs.get("total_sell_quantity", 0)
    assert tick.oi == theirs.get("oi", 0)
    assert (tick.oi_high, tick.oi_low) == (
        theirs.get("oi_day_high", 0),
        theirs.get("oi_day_low", 0),
    )
    stamp = theirs.get("exchange_timestamp")
    seconds = int(stamp.timestamp()) if stamp else 0
    assert tick.ts == (seconds * S or NOW)
    trade = theirs.get("last_trade_time")
    assert tick.last_trade_ts == (int(trade.timestamp()) * S if trade else 0)
    depth = theirs.get("depth", {"buy": [], "sell": []})
    assert depth_levels(tick) == (official_levels(depth["buy"]), official_levels(depth["sell"]))
    if depth["buy"]:
        best = depth["buy"][0], depth["sell"][0]
        assert (tick.bid, tick.bid_quantity) == (best[0]["price"], best[0]["quantity"])
        assert (tick.ask, tick.ask_quantity) == (best[1]["price"], best[1]["quantity"])


@settings(max_examples=200)
@given(frame=frames)
def test_every_kind_of_packet_has_the_values_of_the_official_client(official, frame):
    ours, theirs = FrameDecoder().decode(frame, NOW), official(frame)
    assert len(ours) == len(theirs)
    for tick, parsed in zip(ours, theirs, strict=True):
        assert_same(tick, parsed)


@pytest.mark.parametrize("length", [8, 28, 32, 44, 184])
@settings(max_examples=60)
@given(data=st.data())
def test_each_packet_length_has_the_values_of_the_official_client(official, length, data):
    frame = frame_of(data.draw(packets(length)))
    assert_same(FrameDecoder().decode(frame, NOW)[0], official(frame)[0])


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (1, 100),
        (2, 100),
        (3, 10_000_000),
        (4, 100),
        (5, 100),
        (6, 10_000),
        (7, 100),
        (8, 100),
        (9, 100),
        (12, 10_000),
    ],
)
def test_every_segment_has_its_divisor(segment, expected):
    assert price_divisor(5_720_322 << 8 | segment) == expected


def test_a_full_packet_reads_as_it_is_written_down():
    depth = (
        struct.pack(">IIHH", 75, 14_130, 3, 0)
        + bytes(48)
        + struct.pack(">IIHH", 50, 14_140, 2, 0)
        + bytes(48)
    )
    head = (
        408_065,
        14_135,
        5,
        14_001,
        9_000,
        1_200,
        800,
        13_900,
        14_200,
        13_850,
        13_950,
        1_759_808_701,
        11,
        22,
        9,
    )
    tick = FrameDecoder().decode(frame_of(struct.pack(">16I", *head, 1_759_808_702) + depth), NOW)[
        0
    ]
    assert values(tick) == {
        "token": 408_065,
        "ts": 1_759_808_702 * S,
        "ltp": 141.35,
        "volume": 9_000,
        "last_quantity": 5,
        "average_price": 140.01,
        "buy_quantity": 1_200,
        "sell_quantity": 800,
        "open": 139.0,
        "high": 142.0,
        "low": 138.5,
        "close": 139.5,
        "last_trade_ts": 1_759_808_701 * S,
        "oi": 11,
        "oi_high": 22,
        "oi_low": 9,
        "bid": 141.3,
        "bid_quantity": 75,
        "ask": 141.4,
        "ask_quantity": 50,
        "depth": depth,
    }
    assert depth_levels(tick) == ([(141.3, 75, 3)], [(141.4, 50, 2)])


def test_a_tick_without_an_exchange_time_has_the_time_of_receipt():
    index = frame_of(struct.pack(">8I", 256_265, 1, 1, 1, 1, 1, 0, 0))
    assert [
        tick.ts
        for tick in FrameDecoder().decode(frame_of(plain()), NOW)
        + FrameDecoder().decode(index, NOW)
    ] == [NOW, NOW]


def test_one_byte_is_a_heartbeat():
    decoder = FrameDecoder()
    assert decoder.decode(b"\x00", NOW) == decoder.decode(b"x", NOW) == []
    assert (decoder.heartbeats, decoder.frames, decoder.bad_frames) == (2, 0, 0)


def test_whole_frames_are_counted_and_none_is_called_bad():
    decoder = FrameDecoder()
    decoder.decode(frame_of(plain(), plain()), NOW)
    decoder.decode(frame_of(), NOW)
    assert (
        decoder.frames,
        decoder.packets,
        decoder.bad_frames,
        decoder.bad_packets,
        decoder.kept_bad_frames(),
    ) == (2, 2, 0, 0, [])


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_truncated_frame_keeps_the_packets_before_the_cut(cut):
    whole = frame_of(plain(1), plain(2), plain(3))
    decoder = FrameDecoder()
    assert [tick.token for tick in decoder.decode(whole[:-cut], NOW)] == [1, 2]
    assert (decoder.bad_frames, decoder.bad_packets, decoder.kept_bad_frames()) == (
        1,
        0,
        [whole[:-cut]],
    )


def test_bytes_after_the_last_packet_are_a_bad_frame_with_good_packets():
    decoder = FrameDecoder()
    assert len(decoder.decode(frame_of(plain(), plain()) + b"\x00\x08", NOW)) == 2
    assert (decoder.bad_frames, decoder.packets) == (1, 2)


def test_a_packet_of_unknown_length_is_skipped_and_those_around_it_are_kept():
    decoder = FrameDecoder()
    frame = frame_of(plain(1), bytes(12), plain(2), b"", plain(3))
    assert [tick.token for tick in decoder.decode(frame, NOW)] == [1, 2, 3]
    assert (decoder.bad_frames, decoder.bad_packets, decoder.packets) == (0, 2, 3)
    assert decoder.kept_bad_frames() == [frame]


@pytest.mark.parametrize(
    "frame", [b"", b"\xff\xff", b"\x00\x01\x00", b"\x00\x01\xff\xff" + bytes(100)]
)
def test_a_frame_that_lies_about_its_packets_is_bad_and_gives_none(frame):
    decoder = FrameDecoder()
    assert decoder.decode(frame, NOW) == []
    assert (decoder.bad_frames, decoder.kept_bad_frames()) == (1, [frame])


def test_only_the_last_bad_frames_are_kept_and_each_is_cut():
    decoder = FrameDecoder()
    for number in range(40):
        decoder.decode(b"\x00\x01" + bytes([number]) * 200_000, NOW)
    assert [len(frame) for frame in decoder.kept_bad_frames()] == [65_536] * 16
    assert [frame[2] for frame in decoder.kept_bad_frames()] == list(range(24, 40))


@settings(max_examples=300)
@given(st.lists(packets(), max_size=5), st.binary(max_size=400), st.integers(0, 65_535))
def test_whatever_follows_the_good_packets_they_are_delivered(good, rest, count):
    decoder, columns = FrameDecoder(), LatestTicks()
    count = max(count, len(good))
    frame = struct.pack(">H", count) + frame_of(*good)[2:] + rest
    ticks = decoder.decode(frame, NOW)
    expected = FrameDecoder().decode(frame_of(*good), NOW)
    assert [values(tick) for tick in ticks[: len(good)]] == [values(tick) for tick in expected]
    assert columns.update(frame, NOW) == len(ticks) == decoder.packets


@settings(max_examples=500)
@given(st.binary(max_size=600))
def test_no_bytes_make_the_decoder_raise_and_all_are_accounted_for(frame):
    decoder = FrameDecoder()
    ticks = decoder.decode(frame, NOW)
    assert decoder.frames + decoder.heartbeats == 1
    assert decoder.packets == len(ticks)
    consumed = 2 + sum(2 + len(p) for p in split_by_hand(frame))
    whole = len(frame) == 1 or (
        len(frame) >= 2 and consumed == len(frame) and count_of(frame) == len(split_by_hand(frame))
    )
    assert decoder.bad_frames == (not whole)
    assert bool(decoder.kept_bad_frames()) == bool(decoder.bad_frames or decoder.bad_packets)


def count_of(frame):
    return struct.unpack_from(">H", frame)[0] if len(frame) >= 2 else 0


def split_by_hand(frame):
    found, rest = [], frame[2:]
    while len(found) < count_of(frame) and len(rest) >= 2:
        length = struct.unpack_from(">H", rest)[0]
        if len(rest) < 2 + length:
            break
        found.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    return found


@settings(max_examples=200)
@given(st.lists(packets().filter(lambda p: len(p) in {8, 44, 184} or p[3] == 9), max_size=6))
def test_encoding_what_was_decoded_gives_the_same_ticks(made):
    made = [p for p in made if not (len(p) > 32 and p[3] == 9)]
    modes = [{8: LTP, 28: QUOTE, 44: QUOTE, 32: FULL, 184: FULL}[len(p)] for p in made]
    first = FrameDecoder().decode(frame_of(*made), 1_700_000_000 * S)
    frame = encode_frame(first, modes)
    assert [len(p) for p in split_by_hand(frame)] == [len(p) for p in made]
    again = FrameDecoder().decode(frame, 1_700_000_000 * S)
    assert [values(tick) for tick in again] == [values(tick) for tick in first]


def test_an_index_is_sent_in_its_own_short_form(official):
    tick = Tick(
        256_265,
        1_759_808_702 * S,
        25_110.65,
        open=25_085.3,
        high=25_139.7,
        low=25_002.0,
        close=25_077.65,
    )
    full = official(encode_frame([tick], [FULL]))[0]
    assert full["ohlc"] == {"open": 25_085.3, "high": 25_139.7, "low": 25_002.0, "close": 25_077.65}
    assert (full["tradable"], full["mode"], int(full["exchange_timestamp"].timestamp())) == (
        False,
        "full",
        1_759_808_702,
    )
    assert [len(encode_frame([tick], [mode])) for mode in (LTP, QUOTE, FULL)] == [12, 32, 36]


def test_the_index_packet_carries_the_change_of_price():
    tick = Tick(256_265, 0, 90.0, close=100.5)
    assert struct.unpack(">i", encode_frame([tick], [QUOTE])[-4:]) == (-1_050,)


def test_a_tick_without_depth_is_sent_with_the_best_level_it_has(official):
    tick = Tick(408_065, 0, 10.0, 5, bid=9.95, bid_quantity=7, ask=10.05, ask_quantity=8)
    depth = official(encode_frame([tick], [FULL]))[0]["depth"]
    assert (depth["buy"][0]["price"], depth["buy"][0]["quantity"]) == (9.95, 7)
    assert (depth["sell"][0]["price"], depth["sell"][0]["quantity"]) == (10.05, 8)
    assert sum(level["quantity"] for level in depth["buy"][1:] + depth["sell"][1:]) == 0


def test_what_does_not_fit_the_wire_is_cut_to_fit():
    tick = Tick(408_065, 0, 10.0, volume=-1, buy_quantity=2**40)
    assert [
        (t.volume, t.buy_quantity)
        for t in FrameDecoder().decode(encode_frame([tick], [QUOTE]), NOW)
    ] == [(0, 2**32 - 1)]


def test_depth_is_packed_level_by_level_in_the_divisor_of_its_segment():
    block = pack_depth(5 << 8 | 3, [(83.2525, 10, 2)], [(83.255, 20, 70_000)])
    assert struct.unpack_from(">IIHH", block) == (10, 832_525_000, 2, 0)
    assert struct.unpack_from(">IIHH", block, 60) == (20, 832_550_000, 65_535, 0)
    assert len(block) == 120


def test_levels_past_the_fifth_are_left_out():
    bids = [(100.0 - n, n + 1, 1) for n in range(7)]
    assert depth_levels(Tick(1, 0, 1.0, depth=pack_depth(1, bids, []))) == (bids[:5], [])


def test_ticks_and_modes_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="1 ticks with 2 modes"):
        encode_frame([Tick(1, 0, 1.0)], [LTP, LTP])
    with pytest.raises(ValueError, match="mode 4"):
        encode_frame([Tick(1, 0, 1.0)], [4])


@settings(max_examples=150)
@given(st.lists(frames, max_size=6))
def test_columns_hold_the_last_state_of_every_token(sent):
    decoder, columns, last = FrameDecoder(), LatestTicks(), {}
    for number, frame in enumerate(sent):
        columns.update(frame, NOW + number)
        for tick in decoder.decode(frame, NOW + number):
            last[tick.token] = (tick, NOW + number)
    assert columns.tokens() == list(last)
    assert len(columns) == len(last)
    for token, (tick, received) in last.items():
        assert (columns.ltp(token), columns.received(token)) == (tick.ltp, received)


def test_columns_keep_what_a_poorer_packet_does_not_carry():
    columns = LatestTicks()
    tick = Tick(
        408_065, 1_759_808_702 * S, 10.0, 500, bid=9.95, bid_quantity=7, ask=10.05, ask_quantity=8
    )
    columns.update(encode_frame([tick], [FULL]), NOW)
    columns.update(frame_of(plain(408_065, 1_111)), NOW + 1)
    state = columns.tick(408_065)
    assert (state.ltp, state.volume, state.bid, state.ask, state.ask_quantity) == (
        11.11,
        500,
        9.95,
        10.05,
        8,
    )
    assert (columns.volume(408_065), columns.bid(408_065), columns.ask(408_065)) == (
        500,
        9.95,
        10.05,
    )


def test_columns_know_nothing_of_a_token_they_never_saw():
    columns = LatestTicks()
    assert (columns.tick(1), columns.ltp(1), columns.volume(1), columns.received(1)) == (
        None,
        0.0,
        -1,
        0,
    )


@settings(max_examples=100)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=300))
def test_slots_number_tokens_densely_in_the_order_they_come(seen):
    slots = TokenIndex()
    order = list(dict.fromkeys(seen))
    assert [slots.add(token) for token in seen] == [order.index(token) for token in seen]
    assert [slots.find(token) for token in order] == list(range(len(order)))
    assert [slots.token(slot) for slot in range(slots.count)] == order
    assert slots.find(2**33) == -1
