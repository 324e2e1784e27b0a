"""nautilus_trader's catalog of bars, in the peers' environment: a year of one symbol."""

import tempfile
import time
from importlib import import_module
from pathlib import Path

from contender import timed


def nautilus(file: str, first: int, last: int) -> dict[str, object]:
    """Store the bars of a plain file in a catalog; read all of them, and those in [first, last)."""
    pandas = import_module("pandas")
    names = import_module("nautilus_trader.model.identifiers")
    objects = import_module("nautilus_trader.model.objects")
    catalogs = import_module("nautilus_trader.persistence.catalog")
    share = import_module("nautilus_trader.model.instruments").Equity(
        names.InstrumentId(names.Symbol("S1"), names.Venue("NSE")),
        names.Symbol("S1"),
        import_module("nautilus_trader.model.currencies").USD,
        2,
        objects.Price(0.05, 2),
        objects.Quantity.from_int(1),
        0,
        0,
    )
    kind = import_module("nautilus_trader.model.data").BarType.from_str(
        f"{share.id}-1-MINUTE-LAST-EXTERNAL"
    )
    table = pandas.read_parquet(file).set_index("timestamp").astype(float)
    made = import_module("nautilus_trader.persistence.wranglers").BarDataWrangler(kind, share)
    bars = made.process(table)
    with tempfile.TemporaryDirectory() as folder:
        catalog = catalogs.ParquetDataCatalog(folder)
        catalog.write_data([share])
        catalog.write_data(bars)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
        assert len(catalog.bars([str(kind)])) == len(bars) == len(table)
        part = len(catalog.bars([str(kind)], start=first, end=last - 1))
        return {
            "rows": len(bars),
            "seconds": timed(lambda: catalog.bars([str(kind)]), 3, time.process_time),
            "month_rows": part,
            "month_s": timed(
                lambda: catalog.bars([str(kind)], start=first, end=last - 1), 5, time.process_time
            ),
            "bytes": size / len(bars),
        }


CONTENDERS = {"nautilus_trader": nautilus}
