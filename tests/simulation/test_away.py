"""Days in a row with the desk away beside the owner's shares.

His never leave, and ours are sold or protected once.
"""

import pytest

from compiled.model.values import SECOND
from tests.simulation.away import Away, live_through

SEQUENCES = (1, 7, 14, 20, 34, 1095)
"""Three days each.

They saw: GTTs reported deleted that had fired, a stop learnt of after the first comparison, a
closed rung that kept shares from being written off.
"""
SOAK = 500


@pytest.mark.parametrize("seed", SEQUENCES)
def test_whatever_happens_while_nobody_looks_the_owner_keeps_his_shares(seed):
    live_through(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(10_000, 10_000 + SOAK, 50))
def test_many_more_absences_hold(first):
    for seed in range(first, first + 50):
        live_through(seed)


def test_a_desk_whose_stop_has_fired_on_a_day_without_it_sends_nothing_and_names_the_stop():
    """Ten of each name are the owner's.

    The desk holds some as well, dies, and its stop fires on the day after.
    """
    away = Away(28)
    try:
        world = away.world
        away.decides_each_day = False
        away.day(0)
        held = [p for p in world.checks.rungs.values() if p.held > 0 and p.where[1] == "CNC"]
        away.night(0)
        traders = {int(t.listing.instrument.token): t for t in world.exchange.market._traders}
        opened = (world.exchange.start - world.clock.start) / SECOND + 900.0
        for step in range(60):  # slowly, so that the stops' limits are met
            for token in {p.where[0] for p in held}:
                world.loop.call_at(opened + step, traders[token]._fair.jump, -0.001)
        world.run(opened + 90.0)
        fired = [p for p in held if any(o.filled for o in p.exits)]
        assert fired, "no stop has sold anything"
        away.night(1)
        before = len(world.diary)
        world.start()
        world.run(world.loop.seconds + 340.0)
        names = {world.exchange.tokens[p.where[0]].instrument.symbol for p in fired}
        told = " / ".join(world.process.desk._loop.reconciler.open_differences)
        for name in names:
            assert f"{name}:CNC: " in told
            assert "its stop fired on 20 Nov" in told
            sent = [
                text
                for _, text in world.diary[before:]
                if f" {name} " in text or f'"{name}"' in text
            ]
            assert not [text for text in sent if "SELL" in text or "POST /gtt" in text], sent
    finally:
        away.world.close()
