"""The packed table of values by number: what a dict does, it does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled.model.int_map import IntMap

NUMBER = (
    st.integers(0, 40)
    | st.integers(-(2**62), 2**62)
    | st.integers(0, 40).map(lambda n: n * 256 + 1)
)
STEP = st.tuples(st.sampled_from(["put", "put", "put", "take", "clear", "default"]), NUMBER)


@given(st.lists(STEP, max_size=200))
def test_it_holds_what_a_dict_holds_in_the_order_of_a_dict(steps):
    table, wanted = IntMap(), {}
    for at, (step, number) in enumerate(steps):
        if step == "put":
            table[number] = wanted[number] = f"{number} at {at}"
        elif step == "default":
            assert table.setdefault(number, f"{at}") == wanted.setdefault(number, f"{at}")
        elif step == "clear" and at % 7 == 0:
            table.clear()
            wanted.clear()
        elif step == "take" and number in wanted:
            del table[number]
            del wanted[number]
        assert table.get(number) == wanted.get(number)
        assert (number in table) == (number in wanted)
        assert (len(table), bool(table)) == (len(wanted), bool(wanted))
    assert table.items() == list(wanted.items())
    assert list(table) == list(wanted)
    assert table.values() == list(wanted.values())


def test_a_number_that_is_not_in_it_is_named():
    table = IntMap()
    table[7] = "seven"
    with pytest.raises(KeyError, match="8"):
        table[8]
    with pytest.raises(KeyError, match="9"):
        del table[9]
    del table[7]
    with pytest.raises(KeyError, match="7"):
        table[7]


def test_a_table_that_turns_over_does_not_grow():
    table = IntMap()
    for number in range(10_000):
        table[number] = "here"
        if number >= 3:
            del table[number - 3]
    assert list(table) == [9_997, 9_998, 9_999]
