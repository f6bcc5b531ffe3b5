-- What waits out its time for undo is a rejection, or a request that its own person takes back.
ALTER TABLE held_reject ADD COLUMN withdraws INTEGER NOT NULL DEFAULT 0 CHECK (withdraws IN (0, 1));
