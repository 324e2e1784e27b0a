"""An ex-date at the opening: what the desk carries over it is flagged, once, in words."""

from datetime import date

from engine.market.actions import Actions, parsed
from engine.trading.opening import ex_dates
from tests.core.scripted import Scene

DAY = date(2025, 10, 7)
SPLIT = parsed("CANBK", DAY, "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 2/- Per Share")


def flagged(scene, actions, day=DAY):
    told = []
    found = ex_dates(actions, day, scene.kernel, lambda *line: told.append(line))
    return found, told


def test_a_carried_rung_and_its_gtt_are_flagged_on_the_ex_date():
    scene = Scene()
    scene.hold(stop=2.0)
    found, told = flagged(scene, Actions(SPLIT))
    said = "the broker disables the GTT: place it again at the new prices; afterwards it would stand at 19.60"
    assert [line.partition("), ")[2] for line in found] == [
        f"GTT 7: {said}",
        f"rung 1 of ladder {scene.rung.ladder_id}: {said}",
    ]
    assert told == [("alarm", "ex_date", line) for line in found]
    assert all(line.startswith("CANBK, split from today (Face Value Split") for line in found)


def test_nothing_is_flagged_that_does_not_stand_or_on_another_day():
    assert flagged(Scene(), Actions(SPLIT)) == ((), [])
    scene = Scene()
    scene.hold()
    assert flagged(scene, Actions(SPLIT), date(2025, 10, 6))[0] == ()
    assert flagged(scene, None) == ((), [])


def test_a_list_that_has_come_to_its_end_is_told():
    _, told = flagged(Scene(), Actions(SPLIT), date(2025, 10, 8))
    assert told == [
        ("warn", "ex_date", "the list of corporate actions ends on 2025-10-07: later ones are not known"),
    ]  # fmt: skip
