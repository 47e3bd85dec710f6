-- Makes the partitions of challenges for the next days, and drops those that are over.
--
-- Run it once a day by psql, as the owner of the tables; it may run again. Sends need no partition
-- to go on: the ids of a day that has none are kept in otp_mpp_challenges_other, which the purge
-- cleans. But a day that has ids there can't get a partition, which is then skipped with a warning.
--
-- A day is dropped when its last challenge is over: OTP_MPP_CODE_LIFE and OTP_MPP_RETENTION after
-- its end. "kept" is longer than both by default; raise it with them.

SET lock_timeout = '1s';  -- requests wait behind this for a moment, and no longer

DO $$
DECLARE
    kept CONSTANT interval := '2 days';
    today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
    day date;
    part name;
BEGIN
    FOR day IN SELECT generate_series(today, today + 7, '1 day')::date LOOP
        part := 'otp_mpp_challenges_' || to_char(day, 'YYYYMMDD');
        IF to_regclass(quote_ident(part)) IS NULL THEN
            BEGIN
                -- An id begins with 12 hexadecimal digits: milliseconds since 1970.
                EXECUTE format(
                    'CREATE TABLE %I PARTITION OF otp_mpp_challenges FOR VALUES FROM (%L) TO (%L)',
                    part,
                    lpad(to_hex((extract(epoch FROM day) * 1000)::bigint), 12, '0'),
                    lpad(to_hex((extract(epoch FROM day + 1) * 1000)::bigint), 12, '0'));
            EXCEPTION WHEN check_violation THEN
                RAISE WARNING 'no partition for %: otp_mpp_challenges_other has ids of it', day;
            END;
        END IF;
    END LOOP;
    FOR part IN
        SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = 'otp_mpp_challenges'::regclass
            AND relname ~ '^otp_mpp_challenges_\d{8}$'
            AND to_date(right(relname, 8), 'YYYYMMDD') + 1 + kept < now() AT TIME ZONE 'UTC'
    LOOP
        EXECUTE format('DROP TABLE %I', part);
    END LOOP;
END
$$;
