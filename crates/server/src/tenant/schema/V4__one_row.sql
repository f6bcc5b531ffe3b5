-- An entry and its body in one row: one insert for what is always written together, and read together but for the tree.
-- A list of constants behind IN is made into a table of its own for every single row that is checked against it, so no
-- table that is written often has one.

CREATE TABLE whole_entry (
    seq     INTEGER NOT NULL PRIMARY KEY,  -- from 1 without gaps; leaf index + 1
    at_ms   INTEGER NOT NULL,              -- never before the entry ahead of it
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    digest  BLOB    NOT NULL,              -- the record's name
    nodes   BLOB    NOT NULL,              -- leaf hash, then the roots of the perfect subtrees this entry completes
    bytes   BLOB,                          -- the canonical body; NULL once it is erased
    keyid   BLOB,                          -- the signing device key; NULL for what the server says
    sig     BLOB,
    CHECK ((keyid IS NULL) = (sig IS NULL))
) STRICT;
INSERT INTO whole_entry SELECT seq, at_ms, kind, subject, digest, nodes, bytes, keyid, sig FROM entry LEFT JOIN body USING (seq);
DROP TABLE body;
DROP TABLE entry;
ALTER TABLE whole_entry RENAME TO entry;

-- Read whole when the tenant is opened: who belongs to it and what it can reach.
CREATE INDEX entry_people ON entry (seq) WHERE substr(subject, 1, 9) <> 'proposal/';

CREATE TABLE made_task (
    seq         INTEGER NOT NULL PRIMARY KEY, -- the receipt that made it
    id          BLOB    NOT NULL UNIQUE,
    title       TEXT    NOT NULL,
    description TEXT,
    due_date    TEXT,
    priority    TEXT    NOT NULL CHECK (priority = 'low' OR priority = 'normal' OR priority = 'high'),
    created_ms  INTEGER NOT NULL,
    proposal    BLOB    NOT NULL
) STRICT;
INSERT INTO made_task SELECT seq, id, title, description, due_date, priority, created_ms, proposal FROM task;
DROP TABLE task;
ALTER TABLE made_task RENAME TO task;
