-- The role that serves, with the privileges of docs/stores/sql.md and no other.
--
-- Run it by psql, as the owner of the tables or a superuser, after `flask otp-mpp init-db`, which
-- the owner runs; it may run again:
--
--   psql -v ON_ERROR_STOP=1 -d wallet -f postgresql.sql
--
-- Then give the role a password by `\password otp`, or name its file: -v password_file=/path.

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'otp') THEN
        CREATE ROLE otp LOGIN;
    END IF;
END
$$;
ALTER ROLE otp NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

-- Before version 15 PostgreSQL lets everybody create tables there.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO otp;

GRANT SELECT, INSERT, UPDATE, DELETE ON otp_mpp_challenges TO otp;
GRANT SELECT, INSERT, UPDATE, DELETE ON otp_mpp_requests TO otp;
GRANT SELECT, INSERT, UPDATE, DELETE ON otp_mpp_user_limits TO otp;
GRANT SELECT ON otp_mpp_revision TO otp;

COMMIT;

\if :{?password_file}
\set password `cat :'password_file'`
ALTER ROLE otp PASSWORD :'password';
\endif
