-- What administrators have set for tenants, by WSO2's names of properties. A tenant's version counts its changes; who
-- changes something locks its row first.
CREATE TABLE governance_versions (
    tenant TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE TABLE governance (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Who has changed what. Ids come from a row that is locked until commit: their order is that of the changes.
CREATE TABLE audit_clock (
    one BIGINT NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO audit_clock (one, last) VALUES (1, 0);

CREATE TABLE audit (
    id BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    address TEXT,
    request_id TEXT,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    before TEXT,
    after TEXT
);
CREATE INDEX audit_by_tenant ON audit (tenant, id);
CREATE INDEX audit_by_age ON audit (at);

-- A phone number, however it is spaced. Of an expression, so that it also holds what older replicas write.
CREATE INDEX accounts_by_mobile ON accounts (
    tenant,
    replace(replace(replace(replace(replace(replace(mobile, ' ', ''), '-', ''), '(', ''), ')', ''), '.', ''), '/', '')
);
