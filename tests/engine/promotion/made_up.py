"""Made-up promotions."""

from engine.promotion.next_day_file import PromotedStrategy, TrialOrigin, TrialPromise


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
