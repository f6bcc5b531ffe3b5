-- One tenant's journal and what is projected from it. Entries and bodies are only ever added.

CREATE TABLE entry (
    seq     INTEGER NOT NULL PRIMARY KEY,  -- from 1 without gaps; leaf index + 1
    at_ms   INTEGER NOT NULL,              -- never before the entry ahead of it
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    digest  BLOB    NOT NULL,              -- the record's name
    nodes   BLOB    NOT NULL               -- leaf hash, then the roots of the perfect subtrees this entry completes
) STRICT;

-- Read whole when the tenant is opened: who belongs to it and what it can reach.
CREATE INDEX entry_people ON entry (seq) WHERE kind IN
    ('genesis', 'member', 'invite', 'agent', 'connection', 'manifest', 'enrol', 'endorse', 'revoke');

CREATE TABLE body (
    seq   INTEGER NOT NULL PRIMARY KEY REFERENCES entry (seq),
    bytes BLOB    NOT NULL,                -- canonical
    keyid BLOB,                            -- the signing device key; NULL for what the server says
    sig   BLOB,
    CHECK ((keyid IS NULL) = (sig IS NULL))
) STRICT;

-- A proposal's folded state. Rowid order is the order of creation.
CREATE TABLE proposal (
    created_seq  INTEGER NOT NULL PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE,
    status       INTEGER NOT NULL CHECK (status BETWEEN 0 AND 10), -- fold::Status, as recorded: expiry is computed on reading
    risk         INTEGER NOT NULL CHECK (risk BETWEEN 0 AND 3),
    tool         TEXT    NOT NULL,
    proposer     TEXT    NOT NULL,         -- the actor's id
    executor     BLOB,                     -- the executing device; NULL is the server
    expires_ms   INTEGER NOT NULL,
    due_ms       INTEGER,                  -- while pending: when it may begin
    sentence     TEXT    NOT NULL,
    tool_call_id TEXT    NOT NULL,         -- the idempotency key it was proposed under
    preview_seq  INTEGER,
    receipt_seq  INTEGER,
    fence        INTEGER NOT NULL DEFAULT 0, -- the newest lease's number
    state        TEXT    NOT NULL          -- fold::ProposalState as JSON
) STRICT;

CREATE INDEX proposal_status ON proposal (status, created_seq);
CREATE INDEX proposal_proposer ON proposal (proposer, created_seq);
CREATE INDEX proposal_due ON proposal (executor, due_ms) WHERE status = 1;

-- The right to begin, or the run in progress.
CREATE TABLE lease (
    proposal   BLOB    NOT NULL PRIMARY KEY,
    fence      INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    begun      INTEGER NOT NULL CHECK (begun IN (0, 1)),
    intent     TEXT                        -- executor::Intent as JSON: the call is about to be made, or was
) STRICT, WITHOUT ROWID;

-- Idempotency keys. A key of a proposal that is over is replaced, never looked at (design §10).
CREATE TABLE proposal_key (
    key      BLOB NOT NULL PRIMARY KEY,    -- SHA-256 of the key's text
    payload  BLOB NOT NULL,                -- SHA-256 of what was proposed under it
    proposal BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Everything a device signed and pushed, with the answer it got: the same envelope gets the same answer for ever.
CREATE TABLE device_record (
    device     BLOB    NOT NULL,
    device_seq INTEGER NOT NULL,
    digest     BLOB    NOT NULL,
    answer     TEXT    NOT NULL,           -- wire::RecordResult as JSON
    PRIMARY KEY (device, device_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE task (
    seq         INTEGER NOT NULL PRIMARY KEY, -- the receipt that made it
    id          BLOB    NOT NULL UNIQUE,
    title       TEXT    NOT NULL,
    description TEXT,
    due_date    TEXT,
    priority    TEXT    NOT NULL CHECK (priority IN ('low', 'normal', 'high')),
    created_ms  INTEGER NOT NULL,
    proposal    BLOB    NOT NULL
) STRICT;

-- Whom this tenant has mailed before.
CREATE TABLE known_recipient (
    address TEXT NOT NULL PRIMARY KEY      -- lower case
) STRICT, WITHOUT ROWID;

-- One row: where the journal stands.
CREATE TABLE head (
    only     INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    frontier BLOB    NOT NULL,             -- journal::Frontier
    last_ms  INTEGER NOT NULL,
    log_key  BLOB    NOT NULL              -- seed of the key that signs checkpoints
) STRICT;
