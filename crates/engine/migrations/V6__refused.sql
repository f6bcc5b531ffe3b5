-- Whether the person has seen that what they signed does not count. What was refused before is long over.
ALTER TABLE outbox ADD COLUMN seen INTEGER NOT NULL DEFAULT 0 CHECK (seen IN (0, 1));
UPDATE outbox SET seen = 1;
CREATE INDEX outbox_refused ON outbox (account, proposal) WHERE effective = 0 AND seen = 0;
