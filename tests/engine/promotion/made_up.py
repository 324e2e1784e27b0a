"""Made-up promotions."""

from engine.promotion.next_day_file import (
    PromotedStrategy,
    TrialOrigin,
    TrialPromise,
    next_day_of,
    read_next_day,
)
from engine.promotion.promotion_log import PromotionRecord


def promoted(name, *, symbol="INFY", budget=20_000, forced="", code="", source="s:S", **values):
    """Return a promoted strategy."""
    table = {"source": source, "symbols": [symbol], "fast": 9} | values
    origin = TrialOrigin(
        sweep="one-1234",
        trial=f"trial of {name}",
        strategy="one",
        score=1.5,
        why="chosen",
        first="2024-06-03",
        last="2024-06-07",
        since="2024-06-08",
        code=code,
        forced=forced,
    )
    promise = TrialPromise(sessions=5, annual_return=0.25, sharpe=1.25, trades_a_day=0.5)
    return PromotedStrategy(name, table, budget, origin, promise)


def put_promotion(log, strategies, act="promotion", state=None, trials=()):
    """Write a record of these, and the file, without any check; return its number."""
    number, old = log.next_number(), read_next_day(log.state)
    log.put(
        PromotionRecord(
            number=number,
            made="2024-06-08T10:00:00+00:00",
            act=act,
            who="me",
            sweep="one-1234",
            reason="",
            state=number if state is None else state,
            before=log.state_after(old.number),
            after=next_day_of(strategies, number),
            trials=list(trials),
        )
    )
    return number
