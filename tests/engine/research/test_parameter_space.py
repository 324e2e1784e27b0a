"""The axes of a sweep, as they are typed, and the points that are taken of them."""

import pytest

from engine.errors import ConfigError
from engine.research.parameter_space import ParameterSpace, read_axis
from engine.research.samplers import ListSampler, TpeSampler


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fast=5:20:5", (5, 10, 15, 20)),
        ("fast=5:19:5", (5, 10, 15)),
        ("stop=0.1:0.3:0.1", (0.1, 0.2, 0.3)),  # 0.1 + 0.1 + 0.1 is not 0.3 in doubles
        ("stop=1:2:0.5", (1.0, 1.5, 2.0)),
        ("slow=60,120,250", (60, 120, 250)),
        ("trail=true,false", (True, False)),
        ("direction=long,both", ("long", "both")),
        ("symbol='A,B'", ("'A", "B'")),  # a comma always parts
        ("fast = 7", (7,)),
        ("fast=7,7,8", (7, 8)),
        ("fast=-2:2:2", (-2, 0, 2)),
    ],
)
def test_an_axis_has_exactly_the_values_that_are_typed(text, values):
    axis = read_axis(text)
    assert axis.values == values
    assert [type(each) for each in axis.values] == [type(each) for each in values]


@pytest.mark.parametrize(
    "text",
    [
        "fast",
        "=5",
        "fast=",
        "fast=5:1:1",
        "fast=1:5:0",
        "fast=1:5:-1",
        "fast=1:x:1",
        "fast=1:2:3:4",
        "fast=nan:2",
        "fast=3:3",
        "fast=1:inf:1",
        "fast=1:1e30:1",
        "fast=1e999999:1e999999:1",
        "fast=1:5:1e999999",
        "fast=,",
    ],
)
def test_an_axis_that_means_nothing_is_refused_by_name(text):
    with pytest.raises(ConfigError, match="expected NAME=FROM:TO:STEP") as refused:
        read_axis(text)
    assert text in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fast=25:5:5", "the lower number first"),
        ("fast=5:25:0", "a step is above 0"),
        ("fast=5:1e9:1", "more than 1,000,000 values, take a wider step"),
        ("fast=5:1e30:1", "numbers below 10^18"),
        ("fast=9:2", "two numbers, the lower one first"),
    ],
)
def test_an_axis_of_the_right_form_is_refused_with_its_reason(text, why):
    with pytest.raises(ConfigError) as refused:
        read_axis(text)
    assert str(refused.value).startswith(f"--param {text}: {why}; expected NAME=")


def test_a_value_nested_without_end_is_a_text():
    text = "[" * 100_000
    assert read_axis(f"fast={text}").values == (text,)


def test_a_random_sampler_takes_what_there_is_between_two_bounds_that_touch():
    found = space("stop=1:1.0000000000000004").random_points(50, 7)
    assert sorted(each["stop"] for each in found) == [1.0, 1.0000000000000002, 1.0000000000000004]


def space(*texts):
    return ParameterSpace([read_axis(text) for text in texts])


def test_a_grid_has_every_point_once_the_last_axis_fastest():
    assert list(space("a=1,2", "b=x,y").grid()) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_a_grid_needs_steps_and_an_end():
    with pytest.raises(ConfigError, match="a=FROM:TO:STEP"):
        next(space("a=1:2").grid())
    with pytest.raises(ConfigError, match="1,002,001 points"):
        next(space("a=0:1000:1", "b=0:1000:1").grid())
    with pytest.raises(ConfigError, match="a is given twice"):
        space("a=1", "a=2")


def test_random_points_are_different_within_bounds_and_the_same_for_a_seed():
    wide = space("a=1:100:1", "b=0.5:1.5")
    points = wide.random_points(50, seed=3)
    assert points == wide.random_points(50, seed=3) != wide.random_points(50, seed=4)
    assert len({tuple(point.values()) for point in points}) == 50
    assert all(1 <= point["a"] <= 100 and 0.5 <= point["b"] <= 1.5 for point in points)
    assert len(space("a=1:3:1").random_points(50, seed=1)) == 3


def test_a_list_is_given_in_parts_and_then_nothing():
    sampler = ListSampler(space("a=1:5:1").grid())
    assert [point["a"] for point in sampler.ask(2)] == [1, 2]
    assert [point["a"] for point in sampler.ask(9)] == [3, 4, 5]
    assert sampler.ask(9) == []


def test_the_estimator_finds_the_top_of_a_hill_and_the_same_points_again():
    wide = space("a=0:40:1", "b=0.0:1.0", "c=x,y")

    def tried():
        sampler = TpeSampler(wide, 64, seed=5)
        points = []
        while asked := sampler.ask(8):
            for point in asked:
                height = (
                    -abs(point["a"] - 30) - 10 * abs(point["b"] - 0.5) - 9 * (point["c"] == "y")
                )
                # What cannot be tried is told as such, and nothing is learned of it.
                sampler.tell(point, None if point["a"] == 0 else height)
            points += asked
        return points

    points = tried()
    assert points == tried()
    assert len(points) == len({tuple(point.values()) for point in points}) <= 64
    late = points[len(points) // 2 :]
    near = sum(abs(point["a"] - 30) <= 8 for point in late) / len(late)
    assert near > 0.6  # by chance it would be 17 of 41
