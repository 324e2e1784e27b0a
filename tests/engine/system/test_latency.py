"""Histograms of times: a percentile within a sixteenth, whatever the scale; and the marks."""

import random

import pytest

from engine.system.latency_book import ANSWER, SENDING, LatencyBook
from engine.system.latency_histogram import LatencyHistogram, octave_counts, quantile


def counted(times):
    histogram = LatencyHistogram()
    for ns in times:
        histogram.add(ns)
    return histogram


@pytest.mark.parametrize("scale", [5_000, 1_000_000, 3_000_000_000])
def test_a_percentile_is_within_a_sixteenth_of_the_sorted_list(scale):
    rng = random.Random(scale)
    times = [int(scale * rng.lognormvariate(0.0, 1.0)) + 2_048 for _ in range(5_000)]
    histogram, ordered = counted(times), sorted(times)
    for share in (0.5, 0.9, 0.99):
        truth = ordered[int(share * len(ordered)) - 1]
        assert quantile(histogram.counts, share, histogram.most) == pytest.approx(truth, rel=0.0626)
    assert histogram.most == ordered[-1]
    assert quantile(histogram.counts, 1.0, histogram.most) <= ordered[-1]


def test_nothing_measured_is_nothing_and_the_ends_take_what_lies_beyond():
    assert quantile(counted([]).counts, 0.99, 0) == 0
    far = counted([0, -5, 1, 2_047, 10**12])
    assert octave_counts(far.counts)[0] == 4
    assert octave_counts(far.counts)[-1] == 1
    assert sum(octave_counts(far.counts)) == 5


def test_octaves_double():
    histogram = counted([1_500, 3_000, 3_500, 5_000, 1_048_576])
    octaves = octave_counts(histogram.counts)
    # 1,024 to 2,047 ns; 2,048 to 4,095; 4,096 to 8,191; 2^20 is the first of the eleventh.
    assert octaves[:3] == (1, 2, 1)
    assert octaves[10] == 1


def test_a_request_is_timed_from_the_queue_to_the_answer():
    now = [0]
    book = LatencyBook(lambda: now[0])
    for step in ((book.note_put, 5_000_000), (book.note_sent, 70_000_000)):
        step[0](7)
        now[0] += step[1]
    book.note_answered(7)
    assert book.steps[SENDING].most == 5_000_000
    assert book.steps[ANSWER].most == 70_000_000
    # One that was never sent, and one that nobody queued here.
    book.note_put(8)
    book.note_answered(8)
    book.note_answered(9)
    assert sum(book.steps[ANSWER].counts) == 1
