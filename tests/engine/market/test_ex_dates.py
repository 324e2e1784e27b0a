"""An ex-date at the opening: what the desk carries over it is flagged, once, in words."""

from datetime import date

from engine.day.opening import flag_ex_dates
from engine.market.corporate_actions.action_list import CorporateActions, parsed_actions
from tests.compiled.trading.scripted import Scene

DAY = date(2025, 10, 7)
SPLIT = parsed_actions(
    "CANBK", DAY, "Face Value Split (Sub-Division) - From Rs 10/- Per Share To Rs 2/- Per Share"
)


def flagged(scene, actions, day=DAY):
    told = []
    found = flag_ex_dates(actions, day, scene.kernel, lambda *line: told.append(line))
    return found, told


def test_a_carried_rung_and_its_gtt_are_flagged_on_the_ex_date():
    scene = Scene()
    scene.hold(stop=2.0)
    found, told = flagged(scene, CorporateActions(SPLIT))
    said = (
        "the broker disables the GTT: place it again at the new prices; afterwards it would stand "
        "at 19.60"
    )
    assert [line.partition("), ")[2] for line in found] == [
        f"GTT 7: {said}",
        f"rung 1 of ladder {scene.rung.ladder_id}: {said}",
    ]
    assert told == [("alarm", "ex_date", line) for line in found]
    assert all(line.startswith("CANBK, split from today (Face Value Split") for line in found)


def test_nothing_is_flagged_that_does_not_stand_or_on_another_day():
    assert flagged(Scene(), CorporateActions(SPLIT)) == ((), [])
    scene = Scene()
    scene.hold()
    assert flagged(scene, CorporateActions(SPLIT), date(2025, 10, 6))[0] == ()
    assert flagged(scene, None) == ((), [])


def test_a_list_that_has_come_to_its_end_is_told():
    _, told = flagged(Scene(), CorporateActions(SPLIT), date(2025, 10, 8))
    assert told == [
        (
            "warn",
            "ex_date",
            "the list of corporate actions ends on 2025-10-07: later ones are not known",
        ),
    ]
