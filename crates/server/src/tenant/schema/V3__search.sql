-- The words of proposals' sentences, for lists that ask for some. Rowid is created_seq, so that newest first costs nothing.
-- Filled when somebody searches: until then no proposal pays for it.
CREATE VIRTUAL TABLE proposal_text USING fts5 (
    text, content = '', tokenize = 'unicode61 remove_diacritics 2'
);

-- One row: the newest proposal whose words are in it.
CREATE TABLE indexed (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    seq  INTEGER NOT NULL
) STRICT;
INSERT INTO indexed (only, seq) VALUES (1, 0);
