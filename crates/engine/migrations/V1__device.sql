-- What only this device knows. Nothing in here can be fetched again, so it is written with synchronous=FULL and no row
-- of the outbox is ever deleted before the journal has its record.

-- One person of one tenant on this device. Survives sign-out.
CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    tenant     BLOB    NOT NULL,
    person     BLOB    NOT NULL,
    tenant_url TEXT    NOT NULL,
    email      TEXT    NOT NULL,
    device     BLOB    NOT NULL UNIQUE,
    -- The key that this device's records are signed with: the public half, so that a lost secret half is noticed.
    device_key BLOB    NOT NULL,
    name       TEXT    NOT NULL, -- of the device
    enrol      TEXT,             -- the enrol record's envelope until the server has answered it
    active     INTEGER NOT NULL DEFAULT 0 CHECK (active IN (0, 1)), -- the one that is signed in
    -- Last number and record of the device's chain; 0 and NULL before the first.
    last_seq   INTEGER NOT NULL DEFAULT 0,
    last_record BLOB,
    -- Last verified checkpoint.
    seen_size  INTEGER,
    seen_root  BLOB,
    seen_note  TEXT,
    -- A checkpoint that does not follow from it: evidence, kept for ever.
    fork_note  TEXT,
    UNIQUE (tenant, person)
) STRICT;
CREATE UNIQUE INDEX account_active ON account (active) WHERE active = 1;

-- Records that this device signed, in the order in which they go to the server.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES account (id),
    device_seq INTEGER,          -- NULL for previews, which stand outside the chain
    digest     BLOB    NOT NULL UNIQUE,
    kind       TEXT    NOT NULL CHECK (kind IN ('decision', 'preview', 'begin', 'receipt')),
    proposal   BLOB    NOT NULL,
    verdict    TEXT    CHECK (verdict IN ('approve', 'reject', 'retract')),
    expires_ms INTEGER,          -- of a decision: it counts only if the server has it before
    envelope   TEXT    NOT NULL,
    -- answered: final, but the replica has not folded the record yet. folded: the journal speaks for it.
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'answered', 'folded')),
    effective  INTEGER CHECK (effective IN (0, 1)),
    reason     TEXT,
    created_ms INTEGER NOT NULL,
    UNIQUE (account, device_seq)
) STRICT;
CREATE INDEX outbox_open ON outbox (account, id) WHERE state <> 'folded';

-- Rejections that wait out their time for undo before they are signed.
CREATE TABLE held_reject (
    account    INTEGER NOT NULL REFERENCES account (id),
    proposal   BLOB    NOT NULL,
    view       BLOB    NOT NULL,
    comment    TEXT,
    due_ms     INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (account, proposal)
) STRICT;

-- Calls that this device executes. A crash in any state has one answer, see execute.rs.
CREATE TABLE execution (
    account    INTEGER NOT NULL REFERENCES account (id),
    proposal   BLOB    NOT NULL,
    fence      INTEGER NOT NULL,
    digest     BLOB    NOT NULL, -- of the proposal
    effect     TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('begin', 'begun', 'intended', 'done')),
    begin_record BLOB  NOT NULL, -- the begin in the outbox
    intent     TEXT,
    receipt    BLOB,             -- the receipt in the outbox
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (account, proposal, fence)
) STRICT;
CREATE INDEX execution_open ON execution (account) WHERE state <> 'done';

-- Proposals that a notice was shown for, so that a restart does not show it again.
CREATE TABLE notice (
    account    INTEGER NOT NULL REFERENCES account (id),
    proposal   BLOB    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('shown', 'retracted')),
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (account, proposal)
) STRICT;

CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
