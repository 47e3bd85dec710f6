-- Partitions for the tables of the store: docs/scaling.md tells who needs them.
--
-- Run it by psql as the owner of the tables, while no wallet serves, after `flask otp-mpp init-db`:
--
--   psql -v ON_ERROR_STOP=1 -d wallet -f postgresql_partitions.sql
--   psql -v ON_ERROR_STOP=1 -d wallet -f postgresql_partition_days.sql
--   psql -v ON_ERROR_STOP=1 -d wallet -f postgresql.sql
--
-- The second one is run once a day from then on. The third one grants the privileges again. Rows
-- that are there are kept.
--
-- A primary key must contain what partitions are made by. Users and requests are found by their
-- whole key, so a hash of it leads to one partition. The id of a challenge begins with the time when
-- it was made, so challenges have a partition for each day, which is dropped as a whole.

BEGIN;

ALTER TABLE otp_mpp_user_limits RENAME TO otp_mpp_old_user_limits;
ALTER TABLE otp_mpp_requests RENAME TO otp_mpp_old_requests;
ALTER TABLE otp_mpp_challenges RENAME TO otp_mpp_old_challenges;

CREATE TABLE otp_mpp_user_limits (LIKE otp_mpp_old_user_limits INCLUDING DEFAULTS)
    PARTITION BY HASH (subject);
CREATE TABLE otp_mpp_requests (LIKE otp_mpp_old_requests INCLUDING DEFAULTS)
    PARTITION BY HASH (key);
CREATE TABLE otp_mpp_challenges (LIKE otp_mpp_old_challenges INCLUDING DEFAULTS)
    PARTITION BY RANGE (id);

DO $$
BEGIN
    FOR part IN 0..15 LOOP
        EXECUTE format(
            'CREATE TABLE otp_mpp_user_limits_%s PARTITION OF otp_mpp_user_limits '
            'FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
        EXECUTE format(
            'CREATE TABLE otp_mpp_requests_%s PARTITION OF otp_mpp_requests '
            'FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
    END LOOP;
END
$$;
-- For ids of no day that has a partition: those that were there before, or after a day was missed.
CREATE TABLE otp_mpp_challenges_other PARTITION OF otp_mpp_challenges DEFAULT;

INSERT INTO otp_mpp_user_limits SELECT * FROM otp_mpp_old_user_limits;
INSERT INTO otp_mpp_requests SELECT * FROM otp_mpp_old_requests;
INSERT INTO otp_mpp_challenges SELECT * FROM otp_mpp_old_challenges;

DROP TABLE otp_mpp_old_user_limits, otp_mpp_old_requests, otp_mpp_old_challenges;

-- As `flask otp-mpp init-db` names them, so that upgrades find them.
ALTER TABLE otp_mpp_user_limits ADD CONSTRAINT otp_mpp_user_limits_pkey PRIMARY KEY (subject);
CREATE INDEX ix_otp_mpp_user_limits_failures_keep_until
    ON otp_mpp_user_limits (failures, keep_until);
ALTER TABLE otp_mpp_requests ADD CONSTRAINT otp_mpp_requests_pkey PRIMARY KEY (key);
CREATE INDEX ix_otp_mpp_requests_keep_until ON otp_mpp_requests (keep_until);
CREATE INDEX ix_otp_mpp_requests_subject ON otp_mpp_requests (subject);
ALTER TABLE otp_mpp_challenges ADD CONSTRAINT otp_mpp_challenges_pkey PRIMARY KEY (id);
CREATE INDEX ix_otp_mpp_challenges_expires_at ON otp_mpp_challenges (expires_at);
CREATE INDEX ix_otp_mpp_challenges_subject ON otp_mpp_challenges (subject);

COMMIT;
