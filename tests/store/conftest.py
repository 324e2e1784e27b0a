"""Fixtures of the store: a database in a fresh folder, and a listener for failures."""

import pytest

from store.sqlite_journal import SqliteJournal


class Ear:
    """Remembers what a thread reported before it died or lost something."""

    def __init__(self):
        self.heard = []

    def __call__(self, name, error):
        self.heard.append((name, str(error)))


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def database(tmp_path):
    return tmp_path / "desk.db"


@pytest.fixture
def journal(database, ear):
    opened = SqliteJournal(database, ear)
    yield opened
    opened.close()
