"""Brokers and stores of bars are known by their registries alone."""

import pytest

from brokers.registry import ADAPTERS
from engine.errors import ConfigError
from store.bars.registry import SERVERS
from tui.run.configured import find_configuration

MISSPELT = {
    '[store]\nbackend = "postgrs"\n': (
        'config.toml:2: store.backend: there is no "postgrs"; did you mean "postgres"?'
    ),
    '[desk]\nmode = "paper"\n\n[broker]\nname = "kit"\n': (
        'config.toml:5: broker.name: there is no "kit"; did you mean "kite"?'
    ),
    '[broker]\nname = ""\n': 'config.toml:2: broker.name: there is no ""; valid: kite, sandbox',
}


@pytest.mark.parametrize("text", MISSPELT)
def test_a_name_that_nothing_has_is_refused_with_its_line_and_the_nearest_one(tmp_path, text):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError) as refusal:
        find_configuration(tmp_path / "config.toml")
    assert str(refusal.value) == MISSPELT[text]


def test_another_broker_and_another_store_are_a_line_in_their_registry(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    file.write_text('[broker]\nname = "far"\n\n[store]\nbackend = "there"\n')
    monkeypatch.setitem(ADAPTERS, "far", "far_connection")
    monkeypatch.setitem(SERVERS, "there", "there_bars")
    values = find_configuration(file).values
    assert (values.broker.name, values.broker.is_real) == ("far", True)
    assert values.store.backend == "there"
