-- An edit that is being typed: kept until it is sent or thrown away. One for each proposal.
CREATE TABLE edit (
    account    INTEGER NOT NULL REFERENCES account (id),
    proposal   BLOB    NOT NULL,
    entered    TEXT    NOT NULL, -- JSON: what stands in each field
    note       TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (account, proposal)
) STRICT;
