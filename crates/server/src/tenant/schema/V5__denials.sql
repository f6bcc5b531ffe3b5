-- What people have said no to, by what was asked: the same again is never allowed by itself.
CREATE TABLE denial (
    intent   BLOB    NOT NULL PRIMARY KEY, -- Proposal::intent of the domain
    proposal BLOB    NOT NULL,             -- the newest that was rejected
    at_ms    INTEGER NOT NULL,
    person   BLOB    NOT NULL,
    reason   TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX denial_at ON denial (at_ms);
