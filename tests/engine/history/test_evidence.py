"""Why a bar differs, by what a recording has of its day."""

import numpy as np
import pytest

from engine.history.tick_evidence import (
    CONFLATED,
    DESK_AWAY,
    FEED_AWAY,
    LATE,
    LETTER,
    UNSENT,
    RecordingAbsence,
    SeenTicks,
    TickEvidence,
)

S = 10**9
M = 60 * S
BAR = (100.0, 102.0, 99.0, 101.0, 30)
TICKS = [
    (0, 0.2, 100.0, 110),
    (20, 20.1, 102.0, 120),
    (40, 40.3, 99.0, 130),
    (59, 59.4, 101.0, 130),
]
"""The ticks of a bar: stamp and receipt in seconds after its start, price, the day's volume.

Before it were 100.
"""


def evidence(ticks, absences=(), held=()):
    rows = [(-5, -4.8, 100.5, 100), *ticks, (61, 61.2, 101.5, 140)]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    times = [(M + columns[n] * S).astype(np.int64) for n in (0, 1)]
    return TickEvidence(
        SeenTicks(
            *times,
            columns[2].astype(float),
            columns[3].astype(np.int64),
            np.array([n - 1 in held for n in range(len(rows))]),
        ),
        absences,
    )


def changed(number, **fields):
    names = ("ts", "came", "price", "volume")
    return [
        tuple(fields.get(name, value) for name, value in zip(names, tick, strict=True))
        if at == number
        else tick
        for at, tick in enumerate(TICKS)
    ]


def ask(found, raw, vendor=BAR):
    return found.cause(M, 2 * M, raw, vendor)


@pytest.mark.parametrize(
    ("ticks", "held", "raw", "cause"),
    [
        (changed(3, came=75), (), (100.0, 102.0, 99.0, 99.0, 30), LATE),
        (
            [*TICKS[:3], (61, 60.5, 101.5, 140), (59, 60.7, 101.0, 130)],
            (),
            (100.0, 102.0, 99.0, 99.0, 30),
            LATE,
        ),
        (TICKS, (1,), (100.0, 101.0, 99.0, 101.0, 30), CONFLATED),
        (TICKS, (), (100.0, 101.0, 99.0, 101.0, 30), LETTER),
        ([*TICKS[:1], *TICKS[2:]], (), (100.0, 101.0, 99.0, 101.0, 30), UNSENT),
        ([], (), None, UNSENT),
        (changed(3, came=75), (), None, LATE),
        (TICKS, (), None, LETTER),
        (changed(1, price=103.0), (), (100.0, 103.0, 99.0, 101.0, 30), ""),
    ],
)
def test_what_came_and_when_says_why(ticks, held, raw, cause):
    """A tick that came past the grace, or after one of the next bar, was late.

    One within it was not.
    """
    assert ask(evidence(ticks, held=held), raw) == cause


def test_volume_alone_differs_by_late_ticks_of_the_bar_before_or_by_packets_that_never_came():
    assert ask(evidence(TICKS), (*BAR[:4], 29)) == LETTER
    late = evidence([(-1, 30.0, 100.5, 105), *TICKS])
    assert late.cause(M, 2 * M, BAR, (*BAR[:4], 25)) == LATE
    assert ask(evidence(changed(3, volume=125)[:3]), (*BAR[:4], 20), (99.0, *BAR[1:])) == UNSENT


@pytest.mark.parametrize("why", [FEED_AWAY, DESK_AWAY])
def test_where_nothing_could_come_that_is_why_unless_what_came_explains_it(why):
    absence = [RecordingAbsence(M + 15 * S, M + 30 * S, why)]
    assert ask(evidence([*TICKS[:1], *TICKS[2:]], absence), (100.0, 101.0, 99.0, 101.0, 30)) == why
    assert ask(evidence([], absence), None) == why
    assert ask(evidence(changed(3, came=75), absence), (100.0, 102.0, 99.0, 99.0, 30)) == LATE
    elsewhere = [RecordingAbsence(4 * M, 5 * M, why)]
    assert ask(evidence([], elsewhere), None) == UNSENT


def test_an_auctions_print_is_one_that_came_outside_the_session_or_that_nobody_could_hear():
    assert evidence(TICKS).was_printed(0, M, 100.5)
    assert not evidence(TICKS).was_printed(0, M, 100.0)
    assert evidence(TICKS, [RecordingAbsence(0, M // 2, DESK_AWAY)]).was_printed(0, M, 100.0)
