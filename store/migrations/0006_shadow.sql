-- One order of a shadow run: what became of it at the broker (real) and at the simulated exchange (twin).
CREATE TABLE shadow (
    intent INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('order', 'gtt')),
    strategy TEXT,
    token INTEGER,
    symbol TEXT,
    side TEXT CHECK (side IN ('BUY', 'SELL')),
    quantity INTEGER,
    sent INTEGER,
    answered INTEGER,
    order_id TEXT,
    real_status TEXT,
    real_filled INTEGER,
    real_value INTEGER,
    real_first INTEGER,
    real_last INTEGER,
    twin_status TEXT,
    twin_filled INTEGER,
    twin_value INTEGER,
    twin_first INTEGER,
    twin_last INTEGER
) STRICT;
CREATE INDEX shadow_sent ON shadow (sent);
