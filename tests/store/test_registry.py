"""Stores of bars are found by the name in the configuration."""

from engine.config.schema import StoreSettings
from store.bars import registry


def test_a_server_is_opened_with_its_settings(monkeypatch, tmp_path):
    (tmp_path / "far_bars.py").write_text("def open_store(settings):\n    return settings.dsn\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.SERVERS, "far", "far_bars")
    assert (
        registry.open_shared_store(StoreSettings(backend="far", dsn="over there")) == "over there"
    )
