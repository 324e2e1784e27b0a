"""The table of mutants fits the code, and two of them, others each time, are noticed."""

import hashlib

import pytest

from tests.mutants.hunt import CONTROL, MUTANTS, NEAREST, ROOT, broken, hunt

BOUNDED = 2


def todays():
    """Return which mutants are hunted in the gate: the sources decide, so that they take turns."""
    sources = hashlib.sha256()
    for folder in ("compiled", "engine"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            sources.update(path.read_bytes())
    first = int.from_bytes(sources.digest()[:4], "big")
    return [MUTANTS[(first + 7 * turn) % len(MUTANTS)] for turn in range(BOUNDED)]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_still_finds_its_place_in_the_code(mutant):
    assert broken(mutant) != (ROOT / mutant.file).read_text(encoding="utf-8")


def test_the_tests_that_go_first_are_there():
    assert [
        test for tests in NEAREST.values() for test in tests if not (ROOT / test).is_file()
    ] == []
    assert [part for part in NEAREST if not (ROOT / part).exists()] == []


def test_no_two_mutants_are_one():
    assert (
        len({mutant.name for mutant in MUTANTS})
        == len({mutant[1:] for mutant in MUTANTS})
        == len(MUTANTS)
    )


def test_a_mutant_that_has_lost_its_place_is_told_before_anything_is_hunted():
    lost = CONTROL._replace(old="nothing of the kind")
    with pytest.raises(ValueError, match="nothing is broken: 0 places in "):
        hunt(lost)


def test_a_mutant_of_another_block_is_told_before_it_breaks_something_else():
    moved = CONTROL._replace(old=" " * 40 + CONTROL.old, new="pass")
    with pytest.raises(ValueError, match="nothing is broken: 40 spaces before it, 8 in "):
        broken(moved)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutant", todays(), ids=lambda mutant: mutant.name)
def test_code_that_is_broken_on_purpose_is_noticed(mutant):
    noticed, said = hunt(mutant)
    assert noticed, said


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_code_that_is_not_broken_is_not_noticed():
    assert hunt(CONTROL) == ("", "")


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_way_to_break_the_code_is_noticed(mutant):
    noticed, said = hunt(mutant)
    assert noticed, said
