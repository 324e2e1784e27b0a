"""Watch lists are kept in a file, whole, and no change undoes another's."""

import pytest

from engine.config.watch_lists import WatchLists, change_watch_lists, read_watch_lists
from engine.errors import ConfigError, DataError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "patang" / "watchlists.toml"


def test_lists_are_made_ordered_renamed_and_deleted(file):
    change_watch_lists(file, lambda lists: lists.create("banks").create('odd "name"'))
    change_watch_lists(file, lambda lists: lists.add("Banks", ["SBIN", "AXISBANK", "SBIN"]))
    change_watch_lists(file, lambda lists: lists.move("banks", "AXISBANK", -1))
    change_watch_lists(file, lambda lists: lists.move_list('odd "name"', -1))
    found = read_watch_lists(file)
    assert [(each.name, each.symbols) for each in found.lists] == [
        ('odd "name"', ()),
        ("banks", ("AXISBANK", "SBIN")),
    ]
    change_watch_lists(file, lambda lists: lists.rename("banks", "lenders"))
    change_watch_lists(file, lambda lists: lists.remove("lenders", "SBIN").delete('odd "name"'))
    assert read_watch_lists(file).named("lenders").symbols == ("AXISBANK",)


def test_what_another_has_changed_meanwhile_stays(file):
    mine = change_watch_lists(file, lambda lists: lists.create("a"))
    change_watch_lists(file, lambda lists: lists.create("b"))
    assert mine.find("b") is None
    both = change_watch_lists(file, lambda lists: lists.add("a", ["INFY"]))
    assert [each.name for each in both.lists] == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lists: lists.create(""), "a watch list's name has 1 to 32 letters"),
        (lambda lists: lists.create("All"), "there is a watch list All already"),
        (lambda lists: lists.rename("a", "B"), "there is a watch list B already"),
        (lambda lists: lists.add("c", ["X"]), "no watch list is called c; there are: a, b"),
        (lambda lists: lists.remove("a", "TCS"), "TCS is not in a"),
        (lambda lists: lists.add("a", ["\x1b[2J"]), "is no symbol"),
    ],
)
def test_a_change_that_cannot_be_is_named_and_changes_nothing(file, change, words):
    change_watch_lists(file, lambda lists: lists.create("a").create("b"))
    before = file.read_bytes()
    with pytest.raises(ConfigError, match=words):
        change_watch_lists(file, change)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "text", ["lists = 7", "[[list]]\nsymbols = []", '[[list]]\nname="a"\nsymbols=["\\u001b"]', "x"]
)
def test_a_file_that_is_none_is_named_and_never_written_over(file, text):
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(DataError, match=r"watchlists\.toml"):
        change_watch_lists(file, lambda lists: lists.create("a"))
    assert file.read_text() == text


def test_without_a_file_there_are_no_lists(file):
    assert read_watch_lists(file) == WatchLists()
