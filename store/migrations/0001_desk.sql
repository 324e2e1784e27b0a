-- Times are nanoseconds UTC, money is paise, prices are rupees, quantities are shares.
-- side is BUY or SELL; the other names are those of the enums in compiled/model/values.py.

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE intents (
    intent INTEGER PRIMARY KEY,
    tag TEXT UNIQUE,
    kind TEXT CHECK (kind IN ('order', 'gtt')),
    created INTEGER,
    updated INTEGER,
    strategy TEXT,
    token INTEGER,
    symbol TEXT,
    exchange TEXT,
    side TEXT CHECK (side IN ('BUY', 'SELL')),
    quantity INTEGER,
    order_type TEXT,
    product TEXT,
    purpose TEXT,
    price REAL,
    trigger_price REAL,
    validity TEXT,
    protection REAL,
    rung INTEGER,
    request TEXT,
    status TEXT,
    broker_id TEXT,
    filled INTEGER,
    value INTEGER,
    charged INTEGER,
    reason TEXT
) STRICT;
CREATE INDEX intents_status ON intents (status);

CREATE TABLE orders (
    order_id TEXT NOT NULL PRIMARY KEY,
    intent INTEGER,
    tag TEXT,
    strategy TEXT,
    token INTEGER,
    symbol TEXT,
    exchange TEXT,
    side TEXT CHECK (side IN ('BUY', 'SELL')),
    quantity INTEGER,
    filled INTEGER,
    pending INTEGER,
    price REAL,
    trigger_price REAL,
    average_price REAL,
    order_type TEXT,
    product TEXT,
    status TEXT,
    reason TEXT,
    placed INTEGER,
    updated INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_tag ON orders (tag);
CREATE INDEX orders_placed ON orders (placed);

CREATE TABLE order_events (
    seq INTEGER PRIMARY KEY,
    ts INTEGER,
    intent INTEGER,
    order_id TEXT,
    status TEXT,
    filled INTEGER,
    average_price REAL,
    reason TEXT
) STRICT;
CREATE INDEX order_events_intent ON order_events (intent);

CREATE TABLE fills (
    trade_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    intent INTEGER,
    rung INTEGER,
    strategy TEXT,
    token INTEGER,
    symbol TEXT,
    exchange TEXT,
    side TEXT CHECK (side IN ('BUY', 'SELL')),
    quantity INTEGER,
    price REAL,
    ts INTEGER,
    charges INTEGER,
    realised INTEGER,
    -- exchanges number their trades anew, day by day
    PRIMARY KEY (trade_id, order_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX fills_order_id ON fills (order_id);
CREATE INDEX fills_ts ON fills (ts);

CREATE TABLE gtts (
    intent INTEGER PRIMARY KEY,
    gtt_id INTEGER,
    strategy TEXT,
    token INTEGER,
    symbol TEXT,
    rung INTEGER,
    product TEXT,
    kind TEXT CHECK (kind IN ('single', 'two-leg')),
    quantity INTEGER,
    stop_trigger REAL,
    stop_price REAL,
    target_trigger REAL,
    target_price REAL,
    status TEXT,
    order_id TEXT,
    modifies INTEGER,
    created INTEGER,
    updated INTEGER,
    reason TEXT
) STRICT;
CREATE INDEX gtts_status ON gtts (status);
CREATE INDEX gtts_gtt_id ON gtts (gtt_id);

CREATE TABLE trades (
    trade_id INTEGER PRIMARY KEY,
    ladder INTEGER,
    strategy TEXT,
    token INTEGER,
    symbol TEXT,
    exchange TEXT,
    product TEXT,
    side TEXT CHECK (side IN ('BUY', 'SELL')),
    position_number INTEGER,
    qty INTEGER,
    entry_price REAL,
    entry_time INTEGER,
    exit_price REAL,
    exit_time INTEGER,
    stop_loss REAL,
    target REAL,
    high_water REAL,
    gtt_id INTEGER,
    pnl INTEGER,
    pnl_pct REAL,
    charges INTEGER,
    status TEXT COLLATE NOCASE,
    exit_reason TEXT
) STRICT;
CREATE INDEX trades_symbol_status ON trades (symbol, status);
CREATE INDEX trades_entry_time ON trades (entry_time);
CREATE INDEX trades_pnl ON trades (pnl);

CREATE TABLE ladders (
    ladder INTEGER PRIMARY KEY,
    strategy TEXT,
    token INTEGER,
    symbol TEXT,
    side TEXT CHECK (side IN ('BUY', 'SELL')),
    state TEXT,
    created INTEGER,
    closed INTEGER,
    plan TEXT,
    reason TEXT
) STRICT;
CREATE INDEX ladders_state ON ladders (state);

CREATE TABLE kill_log (
    seq INTEGER PRIMARY KEY,
    ts INTEGER,
    act TEXT,
    level TEXT,
    reason TEXT,
    who TEXT
) STRICT;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    ts INTEGER,
    who TEXT,
    act TEXT,
    detail TEXT
) STRICT;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    ts INTEGER,
    level TEXT,
    name TEXT,
    text TEXT
) STRICT;
CREATE INDEX events_ts ON events (ts);
