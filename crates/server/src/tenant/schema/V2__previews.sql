-- What still waits for the preview of the device that would make the call. Few, and none for long.
CREATE INDEX proposal_unseen ON proposal (created_seq)
    WHERE status = 0 AND executor IS NOT NULL AND preview_seq IS NULL;
