"""Charts in cells: candles, volume, lines of dots, and the axes beside them."""
