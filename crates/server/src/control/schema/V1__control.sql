-- What belongs to the server and to no tenant: who can sign in, with what, and where each tenant's folder is. Who may do
-- what is in the tenants' own files. No secret is in here, only hashes of them.

CREATE TABLE account (
    user_id    BLOB    NOT NULL PRIMARY KEY,
    email      TEXT    NOT NULL UNIQUE,    -- trimmed, lower case
    name       TEXT    NOT NULL,
    password   TEXT    NOT NULL,           -- argon2id as a PHC string
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    token      BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the token's text
    user_id    BLOB    NOT NULL REFERENCES account (user_id),
    created_ms INTEGER NOT NULL,
    used_ms    INTEGER NOT NULL,           -- to the minute
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_user ON session (user_id, used_ms);

CREATE TABLE tenant (
    id         BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    folder     TEXT    NOT NULL UNIQUE,    -- below the data folder
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whether the agent may do anything is in its tenant's journal; this only finds it.
CREATE TABLE agent_key (
    token      BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the key's text
    tenant     BLOB    NOT NULL,
    agent      BLOB    NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invite_secret (
    token      BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the secret's text
    tenant     BLOB    NOT NULL,
    invite     BLOB    NOT NULL UNIQUE,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Nonces that an enrol record has to carry, each good for one.
CREATE TABLE challenge (
    hash       BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the nonce's text
    tenant     BLOB    NOT NULL,
    user_id    BLOB    NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX challenge_user ON challenge (tenant, user_id, expires_ms);
