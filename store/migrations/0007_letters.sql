-- What the feed sent and cannot be true: of each reason the first thousand of a day, in a ring.
CREATE TABLE letters (
    reason TEXT NOT NULL,
    slot INTEGER NOT NULL,
    number INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    token INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    price REAL NOT NULL,
    facts TEXT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (reason, slot)
) STRICT, WITHOUT ROWID;
