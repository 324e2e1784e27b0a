-- The paper exchange: its account at the beginning of the day, its orders, trades and GTTs, the state of each as JSON.
CREATE TABLE paper (
    kind TEXT NOT NULL CHECK (kind IN ('account', 'order', 'trade', 'gtt')),
    name TEXT NOT NULL,
    day TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX paper_day ON paper (kind, day);
