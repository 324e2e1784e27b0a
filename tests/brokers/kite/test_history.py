"""The download of history: windows, pace, resumption, and what is missing."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from brokers.backfill.bar_download import (
    DownloadProgress,
    HistoryWindow,
    WantedBars,
    download,
    missing_in_window,
    request_windows,
)
from brokers.kite.zerodha_sandbox import KITE_RULES
from compiled.model.values import Bar, Instrument
from engine.errors import DataError, OperatorError, RetryableError
from engine.market.calendar import BarGap, Calendar

INFY = Instrument(408065, "NSE", "INFY", 0.05)
MINUTE = 60_000_000_000
DAY = 1440 * MINUTE


def ist(text):
    """Return ns UTC of an IST time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() - 19_800) * 10**9


NOW = ist("2026-01-20T18:00")


class Archive:
    """Kite's archive: a one-minute bar for every minute of the session but those that are lost."""

    def __init__(self, lost=(), fails=None):
        self.asked, self.lost, self.fails = [], set(lost), fails or {}
        self.under_way = self.most = 0

    async def history(self, token, start, end, span):
        self.asked.append((start, end))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if self.fails.get(start, 0) > 0:
            self.fails[start] -= 1
            raise RetryableError("busy")
        if self.fails.get(start) == -1:
            raise OperatorError("dead token")
        calendar, bars, at = Calendar.load(), [], start // DAY * DAY - DAY
        while at < end + DAY:
            day = datetime.fromtimestamp(at // 10**9 + 19_800, UTC).date()
            bars += [
                Bar(token, each, span, 1.0, 1.0, 1.0, 1.0, 1)
                for each in calendar.expected_bars(day, span)
                if start <= each < end and each not in self.lost
            ]
            at += DAY
        return bars


@pytest.fixture
def run(tmp_path, clock):
    """Download with a clock at NOW.

    What was kept is in `run.kept`, once for each time it was kept.
    """
    clock.time = NOW

    async def go(archive, *wanted, keep=None):
        store = keep or (lambda wanted, bars: go.kept.extend(int(bar.start) for bar in bars))
        return await download(
            archive,
            wanted,
            store,
            DownloadProgress(tmp_path / "progress"),
            Calendar.load(),
            clock,
            KITE_RULES.history_days,
        )

    go.kept = []
    return go


def a_week(start="2026-01-05T00:00", end="2026-01-10T00:00", span=60):
    return WantedBars(INFY, span, ist(start), ist(end))


def test_windows_are_the_documented_ones_and_end_at_midnight():
    found = list(
        request_windows(
            WantedBars(INFY, 60, 0, 0),
            [(ist("2026-01-02T10:00"), ist("2026-05-01T12:00"))],
            KITE_RULES.history_days,
        )
    )
    assert [(each.start, each.end) for each in found] == [
        (ist("2026-01-02T10:00"), ist("2026-03-03T00:00")),
        (ist("2026-03-03T00:00"), ist("2026-05-01T12:00")),  # 59.5 days
    ]
    with pytest.raises(DataError, match="no bars of 45 s"):
        list(request_windows(WantedBars(INFY, 45, 0, 0), [(0, 1)], KITE_RULES.history_days))


@given(
    some.integers(0, 4 * 10**9),
    some.integers(1, 3 * 10**8),
    some.sampled_from([60, 300, 900, 3600, 86_400]),
)
@settings(max_examples=60)
def test_windows_cover_everything_once_within_what_kite_allows(start, length, span):
    most = {60: 60, 300: 100, 900: 200, 3600: 400, 86_400: 2_000}[span]
    begin, end = start * 10**9, (start + length) * 10**9
    at = begin
    wanted = WantedBars(INFY, span, begin, end)
    for each in request_windows(wanted, [(begin, end)], KITE_RULES.history_days):
        assert each.start == at < each.end
        assert each.end - each.start <= most * DAY
        at = each.end
    assert at == end


async def test_a_week_is_read_kept_and_whole(run):
    archive = Archive()
    [result] = await run(archive, a_week())
    assert (result.bars, result.gaps, result.unread) == (5 * 375, (), ())
    assert len(run.kept) == len(set(run.kept)) == 5 * 375
    assert len(archive.asked) == 1


async def test_what_is_stored_is_not_asked_for_again_and_a_longer_range_only_for_the_rest(run):
    archive = Archive()
    await run(archive, a_week())
    [again] = await run(archive, a_week())
    assert (len(archive.asked), again.bars) == (1, 5 * 375)
    [longer] = await run(archive, a_week("2026-01-01T00:00", "2026-01-17T00:00"))
    assert archive.asked[1:] == [
        (ist("2026-01-01T00:00"), ist("2026-01-05T00:00")),
        (ist("2026-01-10T00:00"), ist("2026-01-17T00:00")),
    ]
    assert longer.bars == len(set(run.kept)) == len(run.kept)


async def test_three_windows_are_under_way_at_most(run):
    archive = Archive()
    await run(
        archive,
        *(
            WantedBars(Instrument(n, "NSE", f"S{n}", 0.05), 60, ist("2026-01-05T00:00"), NOW)
            for n in range(9)
        ),
    )
    assert (len(archive.asked), archive.most) == (9, 3)


async def test_a_crash_between_keeping_and_noting_repeats_that_window_and_no_other(run, tmp_path):
    wanted = [a_week("2025-10-01T00:00", "2026-01-10T00:00")]
    archive = Archive()
    await run(archive, *wanted)
    first = list(archive.asked)
    file = tmp_path / "progress"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2])
    [result] = await run(archive, *wanted)
    assert archive.asked[len(first) :] == [first[-1]]
    assert result.unread == ()
    [result] = await run(archive, *wanted)
    assert (len(archive.asked), result.unread) == (len(first) + 1, ())


async def test_a_busy_kite_is_asked_again_more_patiently_and_a_stubborn_window_is_reported(
    run, clock
):
    start = ist("2026-01-05T00:00")
    archive = Archive(fails={start: 3})
    [result] = await run(archive, a_week())
    assert (len(archive.asked), result.unread) == (4, ())
    assert [b - a for a, b in zip(clock.slept, clock.slept[1:], strict=False)] == [
        4 * 10**9,
        8 * 10**9,
    ]

    other = WantedBars(
        Instrument(1, "NSE", "X", 0.05), 60, ist("2026-01-06T00:00"), ist("2026-01-08T00:00")
    )
    archive = Archive(fails={other.start: 99})
    fine = other._replace(instrument=Instrument(2, "NSE", "Y", 0.05), start=ist("2026-01-07T00:00"))
    results = await run(archive, other, fine)
    assert [(each.bars, each.unread) for each in results] == [
        (0, ((other.start, other.end),)),
        (375, ()),
    ]


async def test_a_dead_token_ends_the_download_and_the_next_one_goes_on(run):
    one = a_week("2026-01-05T00:00", "2026-01-07T00:00")
    two = one._replace(instrument=Instrument(2, "NSE", "Y", 0.05), start=ist("2026-01-06T00:00"))
    archive = Archive(fails={two.start: -1})
    with pytest.raises(OperatorError, match="dead token"):
        await run(archive, one, two)
    archive.fails = {}
    results = await run(archive, one, two)
    assert [each.unread for each in results] == [(), ()]
    assert [each.bars for each in results] == [2 * 375, 375]


async def test_bars_that_have_not_ended_are_left_for_the_next_time(run, clock):
    clock.time = ist("2026-01-06T10:00")
    archive = Archive()
    [result] = await run(archive, a_week())
    assert max(run.kept) == ist("2026-01-06T09:58"), "that of 09:59 may still change"
    assert result.unread == ((ist("2026-01-06T09:59"), ist("2026-01-10T00:00")),)
    clock.time = NOW
    [result] = await run(archive, a_week())
    assert (len(set(run.kept)), len(run.kept), result.unread) == (5 * 375, 5 * 375, ())


async def test_missing_bars_are_reported_in_stretches_also_by_the_next_run(run):
    lost = [ist(f"2026-01-06T10:{minute}") for minute in ("00", "01", "02", "30")]
    expected = (
        BarGap(ist("2026-01-06T10:00"), ist("2026-01-06T10:03"), 3),
        BarGap(ist("2026-01-06T10:30"), ist("2026-01-06T10:31"), 1),
    )
    for _ in range(2):
        [result] = await run(Archive(lost), a_week())
        assert (result.gaps, result.bars) == (expected, 5 * 375 - 4)


def test_holidays_and_weekends_are_no_gaps_and_a_missing_day_bar_is_one():
    calendar = Calendar.load()
    window = HistoryWindow(
        a_week("2026-01-24T00:00", "2026-01-29T00:00", 86_400),
        ist("2026-01-24T00:00"),
        ist("2026-01-29T00:00"),
    )
    bars = [
        Bar(408065, ist(f"2026-01-{day}T00:00"), 86_400, 1.0, 1.0, 1.0, 1.0, 1) for day in (27,)
    ]
    # 26th: Republic Day
    assert [gap.start for gap in missing_in_window(calendar, window, bars)] == [
        ist("2026-01-28T09:15")
    ]


def test_a_window_in_the_middle_of_a_day_misses_nothing_beyond_it():
    window = HistoryWindow(a_week(), ist("2026-01-06T10:00"), ist("2026-01-06T10:05"))
    assert missing_in_window(Calendar.load(), window, []) == [BarGap(window.start, window.end, 5)]


async def test_a_disk_that_refuses_ends_the_download_and_says_where(run, tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OperatorError, match=r"progress: no space left"):
        await run(Archive(), a_week())
    monkeypatch.undo()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OperatorError, match=r"cannot read .*folder"):
        DownloadProgress(tmp_path / "folder")
