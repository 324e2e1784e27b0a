-- What the feed did not hear, per instrument; state is open, filled or unread, bars the minutes that were read.
CREATE TABLE gaps (
    token INTEGER NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    state TEXT NOT NULL,
    bars INTEGER NOT NULL,
    PRIMARY KEY (token, began)
) STRICT, WITHOUT ROWID;
