"""Stores of bars are found by the name in the configuration."""

import pytest

from engine.config.schema import StoreSettings, parse_config
from engine.errors import ConfigError
from store.bars import registry
from tui.run.preflight import check_settings

UNKNOWN = r'^store\.backend: there is no store "postgrs"; there are parquet, postgres$'


def test_a_store_that_does_not_exist_is_named_before_anything_starts(tmp_path):
    config = parse_config('[store]\nbackend = "postgrs"\n', tmp_path / "config.toml").values
    with pytest.raises(ConfigError, match=UNKNOWN):
        check_settings(config)


def test_a_server_is_opened_with_its_settings(monkeypatch, tmp_path):
    (tmp_path / "far_bars.py").write_text("def open_store(settings):\n    return settings.dsn\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.SERVERS, "far", "far_bars")
    assert (
        registry.open_shared_store(StoreSettings(backend="far", dsn="over there")) == "over there"
    )
    with pytest.raises(ConfigError, match="parquet, postgres, far"):
        registry.open_shared_store(StoreSettings(backend="postgrs"))
