-- The entries that say that bodies were erased: few, and what is exported depends on how many there are.
CREATE TABLE erasure (
    seq INTEGER NOT NULL PRIMARY KEY
) STRICT;
