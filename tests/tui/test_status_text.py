"""Text of `patang status`."""

from tui.commands.desk import desk_commands


def test_money_is_in_rupees_times_are_indian_and_nothing_is_called_none(capsys):
    desk_commands.print_answer(
        {
            "mode": "SANDBOX",
            "now": 1_763_610_300_000_000_000,
            "pnl": -12_345_678,
            "cash": 100,
            "kill_reason": "",
            "orders": 7,
            "governor": {"per_second": 9, "waiting": {"EXIT": 1}, "held_ms": {}},
            "differences": ["a", "b"],
            "ex_dates": [],
        },
        as_json=False,
    )
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert {name.strip(): text.strip() for name, text in lines.items()} == {
        "mode": "SANDBOX",
        "now": "09:15:00 IST",
        "pnl": "₹-1,23,456.78",
        "cash": "₹1.00",
        "kill_reason": "none",
        "orders": "7",
        "governor": "per_second 9, waiting (EXIT 1)",
        "differences": "a; b",
        "ex_dates": "none",
    }
