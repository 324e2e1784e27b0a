"""Few garbage collections while a run keeps what it makes."""

import contextlib
import gc

from engine.system.rare_collections import THRESHOLDS, rare_collections


def collections():
    return sum(each["collections"] for each in gc.get_stats())


def test_the_collector_comes_seldom_within_and_as_before_after_it():
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold() == THRESHOLDS
        at = collections()
        kept = [[] for _ in range(100_000)]
        assert collections() == at
        assert len(kept) == 100_000
    assert gc.get_threshold() == before


def test_it_is_as_before_after_an_error_too():
    before = gc.get_threshold()
    with contextlib.suppress(KeyError), rare_collections():
        raise KeyError
    assert gc.get_threshold() == before


def test_cycles_of_an_author_still_go_within_it():
    with rare_collections():
        at = collections()
        for _ in range(2 * THRESHOLDS[0]):
            cycle = []
            cycle.append(cycle)
        assert collections() > at
