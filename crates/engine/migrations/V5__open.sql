-- What is open of the outbox is looked through for every card and list, and can be thousands of records after a day without
-- a network. These have all that is looked at, so that no record is read for it.
DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox
    (account, proposal, kind, digest, verdict, expires_ms, state, effective, reason, created_ms)
    WHERE state <> 'folded';
-- What waits to be sent, in its order.
CREATE INDEX outbox_waiting ON outbox (account, id) WHERE state = 'waiting';
-- What the person has said, for the day's sum.
CREATE INDEX outbox_verdict ON outbox (account, created_ms, verdict, effective) WHERE verdict IS NOT NULL;
