"""A simulated day told line by line: storms, acts, requests, orders and the desk's own log."""

from compiled.model.values import SECOND
from tests.simulation import day
from tests.simulation.checks import Broken


def tell(seed, kind=day):
    """Run the day of a seed; return its lines, the last one the outcome, and whether it held.

    `kind` is the module that builds such days and lives through them.
    """
    world, end = kind.build(seed)
    lines = world.diary
    outcome = "every promise kept"
    held = True
    try:
        kind.live(world, end)
    except Broken as broken:
        outcome, held = str(broken), False
    lines += [
        ((row["ts"] - world.exchange.start) / SECOND, _event(row))
        for row in world.disk.rows("events")
    ]
    lines += [
        ((order.placed_at - world.exchange.start) / SECOND, _order(order))
        for order in _orders(world)
    ]
    told = [f"{at:9.3f}  {text}" for at, text in sorted(lines, key=lambda line: line[0])]
    world.close()
    return [*told, outcome], held


def _orders(world):
    return world.exchange.orders.orders.values()


def _event(row):
    return f"desk: {row['level']} {row['text']}"


def _order(order):
    ask = order.ask
    side = "buy" if ask.buys else "sell"
    trades = ", ".join(f"{trade.quantity} as {trade.trade_id}" for trade in order.trades)
    return (
        f"order {order.order_id} {ask.tag or '-'}: {side} {ask.quantity} "
        f"{ask.listing.instrument.symbol}, {order.status}, {trades or 'no trade'}"
    )
