-- One line per strategy and instrument that was ever filled or has an open trade, flat ones included.
-- quantity       shares held, negative when short: what was bought less what was sold, that of days before a split,
--                bonus or consolidation (`division:TOKEN:SINCE` in meta) in shares of after it; of fractions the whole
-- average_price  cost of one of them: what was paid, less what came in, plus the profit taken on the way
-- charges, realised   paise, over all fills; realised is before charges
-- open_trades, open_quantity, stop_loss, target, since   from the rows of trades that stand: how many, the shares they
--                entered with, the stop and the target nearest to the price, the first entry
WITH RECURSIVE
divisions AS (
    SELECT
        CAST(substr(key, 10) AS INTEGER) AS token,
        CAST(substr(key, 10 + instr(substr(key, 10), ':')) AS INTEGER) AS since,
        1.0 * json_extract(value, '$.shares') / json_extract(value, '$.per') AS ratio
    FROM meta
    WHERE key GLOB 'division:*' AND json_valid(value)
),
numbered AS (
    SELECT token, since, ratio, ROW_NUMBER() OVER (PARTITION BY token ORDER BY since DESC) AS n FROM divisions
),
factors(token, since, factor, n) AS (
    SELECT token, since, ratio, n FROM numbered WHERE n = 1
    UNION ALL
    SELECT one.token, one.since, one.ratio * factors.factor, one.n
    FROM factors JOIN numbered AS one ON one.token = factors.token AND one.n = factors.n + 1
),
filled AS (
    SELECT
        strategy, exchange, symbol, token,
        CAST(ROUND(TOTAL(CASE side WHEN 'BUY' THEN quantity ELSE -quantity END * COALESCE((
            SELECT factor FROM factors WHERE factors.token = fills.token AND factors.since > fills.ts
            ORDER BY factors.since LIMIT 1
        ), 1.0)), 6) AS INTEGER) AS quantity,
        SUM(CASE side WHEN 'BUY' THEN quantity ELSE -quantity END * price) AS paid,
        SUM(COALESCE(charges, 0)) AS charges,
        SUM(COALESCE(realised, 0)) AS realised
    FROM fills
    GROUP BY strategy, exchange, symbol, token
),
standing AS (
    SELECT
        strategy, exchange, symbol, token,
        COUNT(*) AS open_trades,
        SUM(CASE side WHEN 'BUY' THEN qty ELSE -qty END) AS open_quantity,
        CASE MAX(side) WHEN 'BUY' THEN MAX(NULLIF(stop_loss, 0)) ELSE MIN(NULLIF(stop_loss, 0)) END AS stop_loss,
        CASE MAX(side) WHEN 'BUY' THEN MIN(NULLIF(target, 0)) ELSE MAX(NULLIF(target, 0)) END AS target,
        MIN(entry_time) AS since
    FROM trades
    WHERE status IN ('open', 'exiting')
    GROUP BY strategy, exchange, symbol, token
),
known AS (
    SELECT strategy, exchange, symbol, token FROM filled
    UNION
    SELECT strategy, exchange, symbol, token FROM standing
)
SELECT
    known.strategy, known.exchange, known.symbol, known.token,
    COALESCE(filled.quantity, 0) AS quantity,
    CASE WHEN filled.quantity <> 0
        THEN ROUND((filled.paid + filled.realised / 100.0) / filled.quantity, 4) END AS average_price,
    COALESCE(filled.charges, 0) AS charges,
    COALESCE(filled.realised, 0) AS realised,
    COALESCE(standing.open_trades, 0) AS open_trades,
    COALESCE(standing.open_quantity, 0) AS open_quantity,
    standing.stop_loss, standing.target, standing.since
FROM known
LEFT JOIN filled ON filled.strategy IS known.strategy AND filled.exchange IS known.exchange
    AND filled.symbol IS known.symbol AND filled.token IS known.token
LEFT JOIN standing ON standing.strategy IS known.strategy AND standing.exchange IS known.exchange
    AND standing.symbol IS known.symbol AND standing.token IS known.token
ORDER BY known.strategy, known.symbol, known.exchange, known.token
