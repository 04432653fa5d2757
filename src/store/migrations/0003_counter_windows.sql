-- How long after `since` a counter still says something, in milliseconds; 0: as long as nobody succeeds. Rows of older
-- replicas have 0, and go with what is old.

ALTER TABLE counters ADD COLUMN window_ms BIGINT NOT NULL DEFAULT 0;
