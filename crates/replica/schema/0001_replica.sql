-- A tenant's journal as one device or one snapshot has it, and what is folded from it.
-- The journal is the truth; everything below the first line of dashes can be folded again from it.
-- A list of constants behind IN is made into a table of its own for every single row that is checked against it: what is
-- written often is compared with each constant instead.

CREATE TABLE entry (
    seq      INTEGER NOT NULL PRIMARY KEY, -- from 1 without gaps; leaf index + 1
    at_ms    INTEGER NOT NULL,             -- never before the entry ahead of it
    kind     TEXT    NOT NULL,             -- may be one that this version does not know
    subject  TEXT,
    proposal BLOB CHECK (length(proposal) = 16), -- the subject 'proposal/<id>', which most entries have
    digest   BLOB    NOT NULL CHECK (length(digest) = 32),
    CHECK ((subject IS NULL) <> (proposal IS NULL))
) STRICT;

CREATE INDEX entry_subject ON entry (subject) WHERE subject IS NOT NULL; -- few: people, devices, connections, tools
CREATE INDEX entry_proposal ON entry (proposal) WHERE proposal IS NOT NULL;

-- Apart from the headers, so that the tree is recomputed without reading the bodies. No row: withheld, or erased.
CREATE TABLE body (
    seq   INTEGER NOT NULL PRIMARY KEY REFERENCES entry (seq),
    bytes BLOB    NOT NULL,               -- the canonical body as a Zstandard frame, against 0001_bodies.dict
    keyid BLOB CHECK (length(keyid) = 32), -- the signing device key; NULL for what the server says
    sig   BLOB CHECK (length(sig) = 64),
    CHECK ((keyid IS NULL) = (sig IS NULL))
) STRICT;

-- One row: where the journal stands here.
CREATE TABLE head (
    only     INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    tenant   BLOB    NOT NULL CHECK (length(tenant) = 16),
    log_key  BLOB    NOT NULL CHECK (length(log_key) = 32), -- pinned: signs every checkpoint
    size     INTEGER NOT NULL,
    root     BLOB    NOT NULL CHECK (length(root) = 32),
    frontier BLOB    NOT NULL,            -- domain::journal::Frontier
    last_ms  INTEGER NOT NULL             -- time of the newest entry: no reader's clock is behind it
) STRICT;

-- Verified checkpoints: the newest one, and those whose size has not been reached yet. On the way past, the roots are
-- compared.
CREATE TABLE checkpoint (
    size INTEGER NOT NULL PRIMARY KEY,
    root BLOB    NOT NULL CHECK (length(root) = 32),
    note TEXT    NOT NULL
) STRICT;

-- ----------------------------------------------------------------------------------------------------------------------

-- What lists show of a proposal. Its state is not kept: it is folded from its entries whenever it is needed, which is
-- as quick, smaller, and never out of step.
CREATE TABLE proposal (
    created_seq   INTEGER NOT NULL PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    last_seq      INTEGER NOT NULL,       -- the newest entry about it, readable or not
    status        TEXT    NOT NULL CHECK (status = 'proposed' OR status = 'pending' OR status = 'running'
                          OR status = 'completed' OR status = 'failed' OR status = 'unknown' OR status = 'rejected'
                          OR status = 'denied' OR status = 'expired' OR status = 'withdrawn'
                          OR status = 'superseded'), -- as recorded
    list          TEXT    NOT NULL CHECK (list = 'to_decide' OR list = 'in_progress' OR list = 'done'), -- at head.last_ms
    lapses_ms     INTEGER,                -- when time alone moves it to done; NULL: it does not any more
    risk          INTEGER NOT NULL CHECK (risk BETWEEN 0 AND 3),
    tool          TEXT    NOT NULL,
    sentence      TEXT    NOT NULL,
    proposer      TEXT    NOT NULL,       -- the name under which it is registered
    proposer_kind TEXT    NOT NULL CHECK (proposer_kind = 'agent' OR proposer_kind = 'user' OR proposer_kind = 'system'),
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    executor      BLOB CHECK (length(executor) = 16), -- the executing device; NULL is the server
    connection    BLOB CHECK (length(connection) = 16),
    decided_ms    INTEGER,                -- the quorum was whole, or somebody rejected it
    ended_ms      INTEGER,                -- the receipt came, or it was closed without a run
    gap           TEXT CHECK (gap IN ('missing_body', 'newer_version')) -- why it is not known whole
) STRICT;

CREATE INDEX proposal_to_decide ON proposal (risk, created_seq) WHERE list = 'to_decide';
CREATE INDEX proposal_to_decide_tool ON proposal (tool, risk, created_seq) WHERE list = 'to_decide';
CREATE INDEX proposal_in_progress ON proposal (created_seq) WHERE list = 'in_progress';
CREATE INDEX proposal_unknown ON proposal (created_seq) WHERE status = 'unknown';
CREATE INDEX proposal_done ON proposal (last_seq) WHERE list = 'done';
CREATE INDEX proposal_done_tool ON proposal (tool, last_seq, risk) WHERE list = 'done';
CREATE INDEX proposal_done_risk ON proposal (risk, last_seq) WHERE list = 'done';
CREATE INDEX proposal_lapses ON proposal (lapses_ms) WHERE lapses_ms IS NOT NULL;
CREATE INDEX proposal_connection ON proposal (connection) WHERE connection IS NOT NULL AND list <> 'done';

-- How many proposals each list has, by risk. What has lapsed since head.last_ms is subtracted on reading.
CREATE TABLE tally (
    list TEXT    NOT NULL,
    risk INTEGER NOT NULL,
    n    INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (list, risk)
) STRICT, WITHOUT ROWID;

INSERT INTO tally (list, risk, n) VALUES
    ('to_decide', 0, 0), ('to_decide', 1, 0), ('to_decide', 2, 0), ('to_decide', 3, 0),
    ('in_progress', 0, 0), ('in_progress', 1, 0), ('in_progress', 2, 0), ('in_progress', 3, 0),
    ('done', 0, 0), ('done', 1, 0), ('done', 2, 0), ('done', 3, 0);

CREATE TRIGGER proposal_added AFTER INSERT ON proposal BEGIN
    UPDATE tally SET n = n + 1 WHERE list = NEW.list AND risk = NEW.risk;
END;

CREATE TRIGGER proposal_moved AFTER UPDATE OF list, risk ON proposal
    WHEN NEW.list <> OLD.list OR NEW.risk <> OLD.risk BEGIN
    UPDATE tally SET n = n - 1 WHERE list = OLD.list AND risk = OLD.risk;
    UPDATE tally SET n = n + 1 WHERE list = NEW.list AND risk = NEW.risk;
END;

CREATE TRIGGER proposal_removed AFTER DELETE ON proposal BEGIN
    UPDATE tally SET n = n - 1 WHERE list = OLD.list AND risk = OLD.risk;
END;

-- Sentence, arguments, proposer, tool and note. Rowid is created_seq, so that newest first costs nothing. Which words a
-- proposal has is enough; where they stand would make the index several times as large. Beginnings of words are found as
-- quickly as words, up to search::MAX_PREFIX characters.
CREATE VIRTUAL TABLE proposal_text USING fts5 (
    text, content = '', contentless_delete = 1, detail = none, prefix = '1 2 3 4 5 6 7 8',
    tokenize = 'unicode61 remove_diacritics 2'
);

-- What local tools have made.
CREATE TABLE task (
    seq         INTEGER NOT NULL PRIMARY KEY, -- the receipt that made it
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    title       TEXT    NOT NULL,
    description TEXT,
    due_date    TEXT,
    priority    TEXT    NOT NULL CHECK (priority = 'low' OR priority = 'normal' OR priority = 'high'),
    created_ms  INTEGER NOT NULL,
    proposal    BLOB    NOT NULL CHECK (length(proposal) = 16)
) STRICT;

-- Each device's own numbering of what it signed.
CREATE TABLE device_record (
    device     BLOB    NOT NULL CHECK (length(device) = 16),
    device_seq INTEGER NOT NULL,
    digest     BLOB    NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (device, device_seq)
) STRICT, WITHOUT ROWID;

-- Devices that signed two different records with one number.
CREATE TABLE device_fork (
    device     BLOB    NOT NULL PRIMARY KEY CHECK (length(device) = 16),
    device_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
