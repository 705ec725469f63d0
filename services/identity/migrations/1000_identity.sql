-- Organizations, their users and workloads, sessions, and the keys that sign access tokens.

CREATE TABLE organizations (
    organization_id UUID NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('PARTNER', 'CUSTOMER', 'PLATFORM')),
    name TEXT NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    country TEXT NOT NULL,
    cloud TEXT NOT NULL CHECK (cloud IN ('GLOBAL', 'US_GOVERNMENT')),
    state TEXT NOT NULL CHECK (state IN ('PENDING', 'ACTIVE', 'SUSPENDED')),
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL
);
CREATE INDEX organizations_by_name ON organizations (name_key, organization_id);
-- There is one platform.
CREATE UNIQUE INDEX organizations_platform ON organizations (kind) WHERE kind = 'PLATFORM';

CREATE TABLE organization_domains (
    domain TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (organization_id),
    position BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    UNIQUE (organization_id, position)
);

-- What an organization comes from that another service makes. One origin makes one; a canceled one makes none, and its
-- row is what a late request finds.
CREATE TABLE organization_origins (
    origin_id UUID NOT NULL PRIMARY KEY,
    organization_id UUID,
    admin_id UUID,
    state TEXT NOT NULL CHECK (state IN ('PENDING', 'CONFIRMED', 'CANCELED')),
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    CHECK ((state = 'CANCELED') = (organization_id IS NULL)),
    CHECK ((state = 'CANCELED') = (admin_id IS NULL))
);

-- Temporary passwords that another service shows. The row outlives its secret, so that whoever asks late is told so.
CREATE TABLE origin_secrets (
    origin_id UUID NOT NULL PRIMARY KEY REFERENCES organization_origins (origin_id),
    user_id UUID NOT NULL,
    binding_digest BYTEA NOT NULL,
    sealed BYTEA,
    create_time TIMESTAMPTZ NOT NULL
);
CREATE INDEX origin_secrets_by_user ON origin_secrets (user_id);
CREATE INDEX origin_secrets_by_time ON origin_secrets (create_time) WHERE sealed IS NOT NULL;

CREATE TABLE users (
    user_id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (organization_id),
    sign_in_name TEXT NOT NULL,
    sign_in_key TEXT COLLATE "C" NOT NULL,
    display_name TEXT NOT NULL,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    usage_location TEXT,
    sort_key TEXT COLLATE "C" NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'DELETED')),
    password_hash TEXT,
    temporary_digest BYTEA,
    temporary_expire_time TIMESTAMPTZ,
    credential_set_by UUID,
    credential_set_time TIMESTAMPTZ NOT NULL,
    auth_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    CHECK ((temporary_digest IS NULL) = (temporary_expire_time IS NULL)),
    CHECK ((password_hash IS NULL) <> (temporary_digest IS NULL))
);
-- A name is held by the living; a deleted user's name may be taken meanwhile (C29).
CREATE UNIQUE INDEX users_by_sign_in_key ON users (sign_in_key) WHERE state = 'ACTIVE';
CREATE INDEX users_by_organization ON users (organization_id, sort_key, user_id);

CREATE TABLE user_roles (
    user_id UUID NOT NULL REFERENCES users (user_id),
    role TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
);

-- Deletions of customer users. released: licensing has told what the user held, and that the seats are free.
CREATE TABLE user_deletions (
    deletion_id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (user_id),
    user_version BIGINT NOT NULL,
    released BOOLEAN NOT NULL,
    delete_time TIMESTAMPTZ NOT NULL,
    UNIQUE (user_id, user_version)
);

-- What they held. The service plans that were left out are ids with spaces between them, in ascending order.
CREATE TABLE released_licenses (
    user_id UUID NOT NULL,
    user_version BIGINT NOT NULL,
    product_id UUID NOT NULL,
    product_name TEXT NOT NULL,
    excluded_plans TEXT NOT NULL,
    assign_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, user_version, product_id),
    FOREIGN KEY (user_id, user_version) REFERENCES user_deletions (user_id, user_version)
);

CREATE TABLE sessions (
    session_id UUID NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (user_id),
    auth_time TIMESTAMPTZ NOT NULL,
    must_change_password BOOLEAN NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('OPEN', 'ENDED')),
    expire_time TIMESTAMPTZ NOT NULL,
    create_time TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expire_time);

CREATE TABLE refresh_tokens (
    token_digest BYTEA NOT NULL PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES sessions (session_id),
    state TEXT NOT NULL CHECK (state IN ('CURRENT', 'USED')),
    create_time TIMESTAMPTZ NOT NULL
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

CREATE TABLE workloads (
    workload_id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (organization_id),
    display_name TEXT NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    secret_digest BYTEA NOT NULL,
    secret_create_time TIMESTAMPTZ NOT NULL,
    auth_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    UNIQUE (organization_id, name_key)
);
CREATE INDEX workloads_by_organization ON workloads (organization_id, name_key, workload_id);

CREATE TABLE workload_roles (
    workload_id UUID NOT NULL REFERENCES workloads (workload_id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    PRIMARY KEY (workload_id, role)
);

-- generation keeps two replicas from making the same successor.
CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL UNIQUE,
    public_key BYTEA NOT NULL,
    sealed_key BYTEA NOT NULL,
    activate_time TIMESTAMPTZ NOT NULL,
    create_time TIMESTAMPTZ NOT NULL
);

-- What partner tells: what a partner may do at a customer, what a partner is, and how providers and resellers stand to
-- each other. The higher epoch or version wins; whatever they name may be told later than they are.
CREATE TABLE accesses (
    customer_id UUID NOT NULL,
    partner_id UUID NOT NULL,
    kind TEXT CHECK (kind IN ('RESELLER', 'PROVIDER', 'DIRECT')),
    active BOOLEAN NOT NULL,
    delegated_admin BOOLEAN NOT NULL,
    order_right BOOLEAN NOT NULL,
    epoch BIGINT NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (customer_id, partner_id)
);

CREATE TABLE partner_standings (
    partner_id UUID NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('RESELLER', 'PROVIDER', 'DIRECT')),
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED')),
    version BIGINT NOT NULL,
    update_time TIMESTAMPTZ NOT NULL
);

CREATE TABLE partnership_standings (
    provider_id UUID NOT NULL,
    reseller_id UUID NOT NULL,
    active BOOLEAN NOT NULL,
    provider_admin_access BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (provider_id, reseller_id),
    CHECK (active OR NOT provider_admin_access)
);
