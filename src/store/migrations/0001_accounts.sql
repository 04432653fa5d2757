-- Portable between SQLite and PostgreSQL: flags and times (milliseconds since the epoch) are BIGINT, ids and hashes are
-- TEXT in hex. What is written here is never changed again; what comes later is a new file that only adds.

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    user_store TEXT NOT NULL,
    username TEXT NOT NULL,
    name_key TEXT NOT NULL,
    email TEXT,
    mobile TEXT,
    given_name TEXT,
    family_name TEXT,
    roles TEXT NOT NULL,
    claims TEXT NOT NULL,
    disabled BIGINT NOT NULL,
    lock_reason TEXT,
    locked_at BIGINT,
    password TEXT NOT NULL,
    must_change_password BIGINT NOT NULL,
    password_changed_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_login_at BIGINT
);
CREATE INDEX accounts_by_name ON accounts (tenant, name_key);

-- User names and e-mail addresses in one list: what is typed at sign-in means at most one account.
CREATE TABLE login_names (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    PRIMARY KEY (tenant, name)
);
CREATE INDEX login_names_by_account ON login_names (account);

CREATE TABLE password_history (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    password TEXT NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (account, seq)
);

CREATE TABLE sessions (
    hash TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    tenant TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    signed_in_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    idle BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    user_agent TEXT NOT NULL,
    address TEXT NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account);
CREATE INDEX sessions_by_end ON sessions (ends_at);

-- Wrong guesses, of accounts that exist and of names that do not alike. `owner` is whose password is guessed, empty for
-- counters of an address. `locked_until`: 0 is not locked, -1 until an administrator unlocks.
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    failures BIGINT NOT NULL,
    lockouts BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    since BIGINT NOT NULL,
    last_failure BIGINT NOT NULL
);
CREATE INDEX counters_by_owner ON counters (owner);
CREATE INDEX counters_by_age ON counters (last_failure);

-- What other processes have to hear about. Ids come from a row that is locked until commit: they become visible in
-- order and without gaps, so that whoever has read up to one has missed none.
CREATE TABLE change_clock (
    one BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO change_clock (one, last) VALUES (1, 0);

CREATE TABLE changes (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);
