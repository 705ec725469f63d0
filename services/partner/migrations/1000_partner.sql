-- Partners, how they stand to each other and to customers, and the invitations that bring that about.

-- A projection of identity's organizations; the higher version wins.
CREATE TABLE organizations (
    organization_id UUID NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('PARTNER', 'CUSTOMER', 'PLATFORM')),
    name TEXT NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    country TEXT NOT NULL,
    cloud TEXT NOT NULL CHECK (cloud IN ('GLOBAL', 'US_GOVERNMENT')),
    version BIGINT NOT NULL
);

CREATE TABLE organization_domains (
    organization_id UUID NOT NULL REFERENCES organizations (organization_id),
    position BIGINT NOT NULL,
    domain TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organization_id, position)
);

CREATE TABLE accounts (
    partner_id UUID NOT NULL PRIMARY KEY REFERENCES organizations (organization_id),
    kind TEXT NOT NULL CHECK (kind IN ('RESELLER', 'PROVIDER', 'DIRECT')),
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED')),
    mpn_id TEXT COLLATE "C" NOT NULL UNIQUE,
    support_email TEXT NOT NULL,
    support_phone TEXT NOT NULL,
    support_website TEXT NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL
);

-- One counter for each pair that others hold copies about: a customer and a partner, or a provider and a reseller.
-- epoch was allotted last, also to a decision that is still to be made; reduced_epoch is that of the last change that
-- took something away, told_epoch that under which what is effective was told.
CREATE TABLE epochs (
    first_id UUID NOT NULL,
    second_id UUID NOT NULL,
    epoch BIGINT NOT NULL,
    reduced_epoch BIGINT NOT NULL,
    told_epoch BIGINT NOT NULL,
    PRIMARY KEY (first_id, second_id)
);

-- reseller_id of an INVITED one: the only reseller who may accept.
CREATE TABLE partnerships (
    partnership_id UUID NOT NULL PRIMARY KEY,
    provider_id UUID NOT NULL REFERENCES accounts (partner_id),
    reseller_id UUID,
    state TEXT NOT NULL CHECK (state IN ('INVITED', 'ACTIVE', 'DECLINED', 'CANCELED', 'REMOVED')),
    provider_admin_access BOOLEAN NOT NULL,
    recipient_email TEXT NOT NULL,
    token_digest BYTEA NOT NULL UNIQUE,
    expire_time TIMESTAMPTZ NOT NULL,
    accept_time TIMESTAMPTZ,
    attested_by UUID,
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    CHECK (state <> 'ACTIVE' OR reseller_id IS NOT NULL)
);
-- A pair has one partnership at a time.
CREATE UNIQUE INDEX partnerships_by_pair ON partnerships (provider_id, reseller_id) WHERE state = 'ACTIVE';
CREATE INDEX partnerships_by_reseller ON partnerships (reseller_id) WHERE state = 'ACTIVE';
CREATE INDEX partnerships_invited ON partnerships (provider_id) WHERE state = 'INVITED';

-- name_key is the customer's: a partner's customers are listed by it.
CREATE TABLE relationships (
    customer_id UUID NOT NULL REFERENCES organizations (organization_id),
    partner_id UUID NOT NULL REFERENCES accounts (partner_id),
    kind TEXT NOT NULL CHECK (kind IN ('RESELLER', 'PROVIDER', 'DIRECT')),
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'REMOVED')),
    source TEXT NOT NULL CHECK (source IN ('CREATION', 'INVITATION')),
    name_key TEXT COLLATE "C" NOT NULL,
    state_time TIMESTAMPTZ NOT NULL,
    attested_by UUID,
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (customer_id, partner_id)
);
CREATE INDEX relationships_by_partner ON relationships (partner_id, name_key, customer_id) WHERE state = 'ACTIVE';

-- Delegated admin is a record of its own: it outlives the relationship, and only the customer withdraws it.
CREATE TABLE delegated_admins (
    customer_id UUID NOT NULL REFERENCES organizations (organization_id),
    partner_id UUID NOT NULL REFERENCES accounts (partner_id),
    state TEXT NOT NULL CHECK (state IN ('GRANTED', 'REVOKED')),
    version BIGINT NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (customer_id, partner_id)
);

-- What a partner asks of a customer. The parties and the scope never change. body holds a placeholder for the link.
-- credential_set_by made the user who accepted, or last reset their password.
CREATE TABLE invitations (
    invitation_id UUID NOT NULL PRIMARY KEY,
    partner_id UUID NOT NULL REFERENCES accounts (partner_id),
    provider_id UUID REFERENCES accounts (partner_id),
    customer_id UUID,
    recipient_email TEXT NOT NULL,
    required_domain TEXT NOT NULL,
    delegated_admin BOOLEAN NOT NULL,
    provider_delegated_admin BOOLEAN NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('DRAFT', 'SENT', 'ACCEPTED', 'DECLINED', 'CANCELED', 'INVALIDATED')),
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    rotation BIGINT NOT NULL,
    acceptance_id UUID,
    accepting BOOLEAN NOT NULL,
    accepting_customer_id UUID,
    order_key TEXT COLLATE "C" NOT NULL,
    expire_time TIMESTAMPTZ NOT NULL,
    accept_time TIMESTAMPTZ,
    accepted_by UUID,
    credential_set_by UUID,
    credential_set_time TIMESTAMPTZ,
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL
);
CREATE INDEX invitations_by_partner ON invitations (partner_id, order_key, invitation_id);
CREATE INDEX invitations_by_provider ON invitations (provider_id, order_key, invitation_id) WHERE provider_id IS NOT NULL;
CREATE INDEX invitations_by_customer ON invitations (customer_id) WHERE customer_id IS NOT NULL;

-- Every link that an invitation ever had: one that was rotated away answers like a canceled one.
CREATE TABLE invitation_links (
    token_digest BYTEA NOT NULL PRIMARY KEY,
    invitation_id UUID NOT NULL REFERENCES invitations (invitation_id),
    rotation BIGINT NOT NULL
);

-- A projection of licensing's subscriptions; the higher version wins. What was deleted stays as a row, so that a fact that
-- arrives late finds it. Customers and partners are licensing's words: whoever is not known here is shown to nobody.
CREATE TABLE subscriptions (
    subscription_id UUID NOT NULL PRIMARY KEY,
    customer_id UUID NOT NULL,
    partner_id UUID NOT NULL,
    reseller_id UUID,
    product_name TEXT NOT NULL,
    friendly_name TEXT NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    quantity BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED', 'DELETED')),
    expire_time TIMESTAMPTZ,
    version BIGINT NOT NULL,
    CHECK ((expire_time IS NULL) = (state <> 'SUSPENDED'))
);
CREATE INDEX subscriptions_by_customer ON subscriptions (customer_id, name_key, subscription_id);
