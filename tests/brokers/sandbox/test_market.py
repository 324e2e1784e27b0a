from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.market.crowd import intensity
from brokers.sandbox.universe.known_shares import NAMES

SECOND = 1_000_000_000


def run(minutes, **config):
    exchange = SandboxExchange(SandboxConfig(**({"speed": None} | config)))
    exchange.run(exchange.now + minutes * 60 * SECOND)
    return exchange


def shares(exchange):
    return exchange.market.listings


def test_several_names_trend_in_the_first_ten_minutes():
    for seed in (7, 8, 9):
        moved = [
            abs(share.ltp / share.instrument.close - 1) for share in shares(run(10, seed=seed))
        ]
        assert len(moved) == 20
        assert sum(move >= 0.015 for move in moved) >= 3


def test_everything_a_client_sees_comes_from_trades_inside_the_band():
    for share in shares(run(20)):
        bars = share.minutes
        assert len(bars) in {20, 21}  # the last minute has only just begun
        assert share.volume == sum(bar[5] for bar in bars) > 0
        assert share.high == max(bar[2] for bar in bars)
        assert share.low == min(bar[3] for bar in bars)
        assert share.low_band <= share.low <= share.last <= share.high <= share.high_band
        assert share.low <= share.average / share.instrument.tick + 1e-6
        bid, ask = share.book.best(1), share.book.best(-1)
        assert 0 < bid < ask
        assert len(share.book.depth(1, 5)) == len(share.book.depth(-1, 5)) == 5


def test_another_seed_is_another_day_and_the_same_seed_the_same():
    first, same, other = (run(2, seed=seed) for seed in (7, 7, 8))
    assert [s.minutes for s in shares(first)] == [s.minutes for s in shares(same)]
    assert [s.minutes for s in shares(first)] != [s.minutes for s in shares(other)]


def test_the_index_is_the_average_move_of_its_members():
    exchange = run(5)
    moves = [share.ltp / share.instrument.close for share in shares(exchange)]
    assert exchange.index.ltp == round(round(26_000 * sum(moves) / 20 / 0.05) * 0.05, 2), (
        "in steps of 0.05"
    )


def test_the_day_is_busier_at_its_ends():
    open_, noon, close = intensity(0, 22_500), intensity(11_250, 11_250), intensity(22_500, 0)
    assert open_ > close > noon


def test_every_name_stands_on_the_grid_of_its_date():
    by_price = {"WIPRO": 0.01, "HDFCBANK": 0.05, "INFY": 0.1, "MARUTI": 1.0}
    for share in shares(run(0)):
        assert share.instrument.on_grid(NAMES[share.instrument.symbol].price)
        assert share.instrument.tick == by_price.get(share.instrument.symbol, share.instrument.tick)
    old = SandboxExchange(SandboxConfig(speed=None, date="2024-06-11", symbols=("WIPRO", "MARUTI")))
    assert [share.instrument.tick for share in shares(old)] == [0.01, 0.05]
