"""Alerts name the symbol they are about."""

from types import SimpleNamespace

import pytest

from compiled.model.events import KernelAlert
from engine.day.day_loop import DayLoop

MARKETS = {5: SimpleNamespace(instrument=SimpleNamespace(symbol="INFY"))}


@pytest.mark.parametrize(
    ("text", "token", "told"),
    [
        (
            "an exit did not fill before the close; a new stop stands",
            5,
            "INFY: an exit did not fill before the close; a new stop stands",
        ),
        ("momentum INFY: SIZE_ZERO", 5, "momentum INFY: SIZE_ZERO"),
        ("momentum stopped: ValueError", 0, "momentum stopped: ValueError"),
    ],
)
def test_an_alert_about_an_instrument_names_it(text, token, told):
    state = SimpleNamespace(markets=MARKETS)
    loop = SimpleNamespace(kernel=SimpleNamespace(state=state))
    assert DayLoop._alert_text(loop, KernelAlert(0, "alarm", "x", text, token)) == told
