-- Whom the company's OpenID provider vouches for. An account with a row here has no password: its column is empty, which is
-- no PHC string and is never right.
CREATE TABLE identity (
    issuer    TEXT    NOT NULL,
    subject   TEXT    NOT NULL, -- the provider's own name for the person, never given to another one
    user_id   BLOB    NOT NULL REFERENCES account (user_id),
    linked_ms INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject),
    UNIQUE (user_id, issuer)
) STRICT, WITHOUT ROWID;
