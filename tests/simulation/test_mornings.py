"""Nights in which shares, tokens and GTTs become others.

Nothing of the owner's is sold, and every share is divided once.
"""

from collections import Counter

import pytest

from tests.simulation.mornings import live_through

SEQUENCES = (112, 150, 173, 30_117)
"""Three days each.

They saw: a stop that had fired on the evening before an unlisted bonus, a stop off the new tick
size that moved down, an exit in the moment in which a division was adopted; two of them a new name
of what the other exchange listed; the last shares of the owner's, divided, that were as many as his
and ours before.
"""
SOAK = 500


@pytest.mark.parametrize("seed", SEQUENCES)
def test_whatever_a_night_makes_of_them_the_owners_shares_stay_and_ours_are_divided_once(seed):
    live_through(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(20_000, 20_000 + SOAK, 50))
def test_many_more_nights_hold(first):
    happened = Counter()
    for seed in range(first, first + 50):
        happened.update(live_through(seed))
    assert all(happened.values()), happened
