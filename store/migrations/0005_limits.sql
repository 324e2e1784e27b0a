-- Limits that an operator has changed, for one day each (IST); money is in rupees here, as in the configuration.

CREATE TABLE limits (
    day TEXT NOT NULL,
    name TEXT NOT NULL,
    value REAL,
    reason TEXT,
    who TEXT,
    ts INTEGER,
    PRIMARY KEY (day, name)
) STRICT, WITHOUT ROWID;
