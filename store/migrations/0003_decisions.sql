-- What strategies asked for and what became of it; `times` counts the same refusal within a minute, `last` is its latest.

CREATE TABLE decisions (
    decision INTEGER PRIMARY KEY,
    ts INTEGER,
    strategy TEXT,
    token INTEGER,
    symbol TEXT,
    side TEXT CHECK (side IN ('BUY', 'SELL')),
    kind TEXT CHECK (kind IN ('enter', 'rung', 'exit', 'change')),
    cause TEXT CHECK (cause IN ('bar', 'tick', 'timer', 'operator')),
    cause_symbol TEXT,
    cause_ts INTEGER,
    cause_price REAL,
    reason TEXT,
    capital INTEGER,
    quantity INTEGER,
    price REAL,
    verdict TEXT,
    detail TEXT,
    ladder INTEGER,
    rung INTEGER,
    intent INTEGER,
    times INTEGER,
    last INTEGER
) STRICT;
CREATE INDEX decisions_symbol ON decisions (symbol, ts);
CREATE INDEX decisions_rung ON decisions (rung);
CREATE INDEX decisions_ladder ON decisions (ladder);
CREATE INDEX intents_rung ON intents (rung);
CREATE INDEX intents_broker_id ON intents (broker_id);
