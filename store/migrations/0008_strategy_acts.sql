-- Acts of an operator on strategies, each for its day (IST): stop, start, set; detail is JSON, the values of a change.

CREATE TABLE strategy_acts (
    seq INTEGER PRIMARY KEY,
    ts INTEGER,
    day TEXT NOT NULL,
    strategy TEXT,
    act TEXT CHECK (act IN ('stop', 'start', 'set')),
    who TEXT,
    reason TEXT,
    detail TEXT
) STRICT;
CREATE INDEX strategy_acts_day ON strategy_acts (day);
