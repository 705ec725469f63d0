-- What licensing holds of the other services' facts, and its own: products, offers, subscriptions, seats, licenses.

-- Of identity. The higher version wins.
CREATE TABLE organizations (
    organization_id UUID NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('PARTNER', 'CUSTOMER', 'PLATFORM')),
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    cloud TEXT NOT NULL CHECK (cloud IN ('GLOBAL', 'US_GOVERNMENT')),
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED')),
    version BIGINT NOT NULL
);

CREATE TABLE users (
    user_id UUID NOT NULL PRIMARY KEY,
    customer_id UUID NOT NULL,
    display_name TEXT NOT NULL,
    sign_in_name TEXT NOT NULL,
    sort_key TEXT COLLATE "C" NOT NULL,
    usage_location TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'DELETED')),
    version BIGINT NOT NULL
);

-- Of partner. The higher epoch or version wins.
CREATE TABLE accesses (
    customer_id UUID NOT NULL,
    partner_id UUID NOT NULL,
    kind TEXT CHECK (kind IN ('RESELLER', 'PROVIDER', 'DIRECT')),
    active BOOLEAN NOT NULL,
    delegated_admin BOOLEAN NOT NULL,
    order_right BOOLEAN NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (customer_id, partner_id)
);

CREATE TABLE partners (
    partner_id UUID NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('RESELLER', 'PROVIDER', 'DIRECT')),
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED')),
    mpn_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX partners_by_mpn_id ON partners (mpn_id);

CREATE TABLE partnerships (
    provider_id UUID NOT NULL,
    reseller_id UUID NOT NULL,
    active BOOLEAN NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (provider_id, reseller_id)
);
