-- A device also vouches for another device, which is about no proposal. Previews are part of the device's chain.
CREATE TABLE record (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES account (id),
    device_seq INTEGER NOT NULL,
    digest     BLOB    NOT NULL UNIQUE,
    kind       TEXT    NOT NULL, -- the record's, as the domain names it
    proposal   BLOB,
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

INSERT INTO record SELECT * FROM outbox;
DROP TABLE outbox;
ALTER TABLE record RENAME TO outbox;
CREATE INDEX outbox_open ON outbox (account, id) WHERE state <> 'folded';
