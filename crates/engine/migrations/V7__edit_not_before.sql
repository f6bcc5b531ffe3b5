-- The time before which what is typed is not to begin, as it was typed; NULL: as it was.
ALTER TABLE edit ADD COLUMN not_before TEXT;
