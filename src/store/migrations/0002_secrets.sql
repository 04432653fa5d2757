-- What all replicas know and nobody else: keys for hashes and seals, hex.

CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
