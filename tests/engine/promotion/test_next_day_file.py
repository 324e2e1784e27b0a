"""The file of the next day: read strictly, written whole, compared, and laid over the settings."""

import os
from pathlib import Path

import pytest

from engine.config.promotion_settings import PromotionSettings
from engine.config.schema import DeskConfig
from engine.errors import ConfigError
from engine.promotion.file_changes import day_changes, file_diff
from engine.promotion.followed_config import follow_next_day
from engine.promotion.next_day_file import (
    FILE,
    NextDayFile,
    PromotedStrategy,
    next_day_of,
    parse_next_day,
    read_next_day,
    render_next_day,
    write_next_day,
)
from tests.engine.promotion.made_up import promoted


def test_what_is_written_is_read_again_to_the_last_digit(tmp_path):
    file = next_day_of([promoted("a_infy_60", stop_percent=0.1 + 0.2), promoted("b_sbin_60")], 7)
    write_next_day(tmp_path, file)
    assert read_next_day(tmp_path) == file
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    assert [each.name for each in file.promoted] == ["a_infy_60", "b_sbin_60"]
    assert file.spent == 40_000


def test_without_a_file_nothing_is_promoted(tmp_path):
    assert read_next_day(tmp_path) == NextDayFile()


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("schema = 1", "schema = 2", "schema: expected 1"),
        ("fast = 9", "fast = ", "not TOML"),
        ('source = "s:S"', "", "strategy.a_infy_60: the key source is missing"),
        ('symbols = ["INFY"]', "symbols = []", "the key symbols is missing"),
        ("budget = {a_infy_60 = 20000}", "budget = {}", "budget: a_infy_60 has no line here"),
        ("= 20000", "= 0", "expected a whole number from 1"),
        ("[origin.a_infy_60]", "[origin.b_infy_60]", "has no line here"),
        ("a_infy_60", "A-B", "expected a name of small letters"),
        ("score = 1.5", "score = nan", "origin.a_infy_60.score: expected a number"),
        ('why = "chosen"', "", "the key why is missing"),
        ("sessions = ", "sessions = -", "promise.a_infy_60.sessions: expected a whole number"),
        ("since = ", 'since = "tomorrow" #', "origin.a_infy_60.since: expected a day, YYYY"),
        ("2024-06-07", "20240607", "origin.a_infy_60.last: expected a day, YYYY-MM-DD"),
        ("win_rate = ", "win_rate = 1", "promise.a_infy_60.win_rate: expected"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_the_key(old, new, complaint):
    text = render_next_day(next_day_of([promoted("a_infy_60")], 1))
    assert old in text
    with pytest.raises(ConfigError, match=r"next_day\.toml:") as refused:
        parse_next_day(text.replace(old, new), Path(FILE))
    assert complaint in str(refused.value)


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_without_a_word_does_not_say_that_nothing_is_promoted(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(ConfigError, match=r"next_day\.toml: it is empty"):
        read_next_day(tmp_path)


def test_a_file_that_others_can_write_is_refused(tmp_path):
    write_next_day(tmp_path, next_day_of([promoted("a_infy_60")], 1))
    (tmp_path / FILE).chmod(0o666)
    with pytest.raises(ConfigError, match="others can write it"):
        read_next_day(tmp_path)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_of_ours_is_refused_at_once(tmp_path, kind):
    file = tmp_path / FILE
    if kind == "link":
        (tmp_path / "elsewhere").write_text("")
        file.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        file.mkdir()
    else:
        os.mkfifo(file)
    with pytest.raises(ConfigError, match=FILE):
        read_next_day(tmp_path)


def test_changes_name_what_is_new_what_is_gone_and_every_value_that_is_another():
    old = next_day_of([promoted("a_infy_60", fast=9), promoted("b_sbin_60")], 1)
    new = next_day_of(
        [promoted("a_infy_60", fast=12, budget=15_000), promoted("c_itc_60", symbol="ITC")], 2
    )
    assert [str(each) for each in day_changes(old, new)] == [
        "+ c_itc_60 (ITC, ₹20,000)",
        "- b_sbin_60 (what it holds keeps its stops at the broker, and is left by hand)",
        "~ a_infy_60 fast 9 -> 12, budget ₹20,000 -> ₹15,000",
    ]
    assert day_changes(new, new) == []
    lines = file_diff(old, new)
    assert "-fast = 9" in lines
    assert "+fast = 12" in lines
    assert file_diff(new, next_day_of(new.promoted, 3)) == []


def test_a_forced_strategy_is_told_of_with_its_reason():
    (change,) = day_changes(NextDayFile(), next_day_of([promoted("a", forced="a\x1b[2Jtry")], 1))
    assert str(change) == "+ a (INFY, ₹20,000, forced: a [2Jtry)"


def settings(budget, **more):
    return DeskConfig(promotion=PromotionSettings(budget=budget, **more))


def test_the_configuration_is_followed_with_the_budgets_of_what_is_promoted(tmp_path):
    write_next_day(tmp_path, next_day_of([promoted("a_infy_60"), promoted("b_sbin_60")], 1))
    found = follow_next_day(settings(40_000), tmp_path)
    assert found.values.risk.budget == {"a_infy_60": 20_000, "b_sbin_60": 20_000}
    assert found.values.strategy["a_infy_60"]["fast"] == 9
    assert [each.name for each in found.next_day.promoted] == ["a_infy_60", "b_sbin_60"]


def test_more_than_the_budget_is_never_followed(tmp_path):
    write_next_day(tmp_path, next_day_of([promoted("a_infy_60"), promoted("b_sbin_60")], 1))
    with pytest.raises(ConfigError, match=r"budgets of 40,000 rupees, promotion\.budget allows 39"):
        follow_next_day(settings(39_999), tmp_path)


@pytest.mark.parametrize("config", [settings(0), settings(40_000, follow=False)])
def test_a_desk_that_does_not_follow_does_not_even_read(tmp_path, config):
    (tmp_path / FILE).write_text("no TOML")
    assert follow_next_day(config, tmp_path) == (config, NextDayFile())


def test_a_name_of_the_configuration_is_not_taken_over(tmp_path):
    write_next_day(tmp_path, next_day_of([promoted("a_infy_60")], 1))
    own = DeskConfig(
        promotion=PromotionSettings(budget=40_000), strategy={"a_infy_60": {"fast": 1}}
    )
    with pytest.raises(ConfigError, match="a_infy_60 stands in the configuration as well"):
        follow_next_day(own, tmp_path)


def test_a_strategy_knows_what_it_trades():
    assert isinstance(promoted("a"), PromotedStrategy)
    assert promoted("a", symbol="ITC").symbols == ("ITC",)
