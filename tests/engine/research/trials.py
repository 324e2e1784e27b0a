"""Tables of trials that were made up."""

import pandas as pd

TRIAL = {
    "strategy": "cross",
    "symbol": "INFY",
    "timeframe": 60,
    "parameters": '{"fast":9}',
    "net_return": 0.05,
    "days": 63,
    "sharpe": 1.2,
    "sortino": 1.5,
    "win_rate": 0.5,
    "max_drawdown": -0.05,
    "turnover": 20.0,
    "average_holding_s": 1800.0,
    "trades": 40,
}


def trials(**rows):
    """Return a table of trials by id; each row says how it differs from the plain one."""
    return pd.DataFrame([{"trial": name} | TRIAL | row for name, row in rows.items()])


def by_trial(table):
    """Return a table's rows by trial id, as dictionaries."""
    return {row["trial"]: row for row in table.to_dict("records")}
