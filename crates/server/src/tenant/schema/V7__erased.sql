-- Whose proposal it was: its own proposer still hears that it was erased. And whether it is gone from every file beside this
-- one; where it is not, that is made up for when the tenant is opened.
ALTER TABLE erasure ADD COLUMN proposal BLOB;
ALTER TABLE erasure ADD COLUMN proposer TEXT;
ALTER TABLE erasure ADD COLUMN settled INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1));

CREATE INDEX erasure_proposal ON erasure (proposal);
