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
    sign_in_key TEXT COLLATE "C" NOT NULL,
    sort_key TEXT COLLATE "C" NOT NULL,
    usage_location TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'DELETED')),
    version BIGINT NOT NULL
);
CREATE INDEX users_by_customer ON users (customer_id, sort_key, user_id);

-- A row to hold: whoever gives or takes licenses of a customer's users has it alone, and whoever takes over that one of them
-- was deleted. The pools would not do, because one that is made meanwhile is held by nobody.
CREATE TABLE customers (
    customer_id UUID NOT NULL PRIMARY KEY
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

-- Providers whom open invitations name that are bound to a customer; the higher version wins.
CREATE TABLE namings (
    invitation_id UUID NOT NULL PRIMARY KEY,
    customer_id UUID NOT NULL,
    provider_id UUID NOT NULL,
    open BOOLEAN NOT NULL,
    expire_time TIMESTAMPTZ NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX namings_open ON namings (customer_id, provider_id) WHERE open;

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

-- The vendor's products, by the GUIDs that it publishes.
CREATE TABLE products (
    product_id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    part_number TEXT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL
);
CREATE INDEX products_by_name ON products (name_key, product_id);

-- What a product calls a service plan that it includes.
CREATE TABLE product_plans (
    product_id UUID NOT NULL REFERENCES products (product_id),
    plan_id UUID NOT NULL,
    plan_name TEXT NOT NULL,
    friendly_name TEXT NOT NULL,
    PRIMARY KEY (product_id, plan_id)
);
CREATE INDEX product_plans_by_plan ON product_plans (plan_id);

-- What operators say of a product; an edition leaves it alone. A product without a row is for users, given by partners,
-- in the first group. Locations are codes with spaces between them: they are only ever read as a whole.
CREATE TABLE product_rules (
    product_id UUID NOT NULL PRIMARY KEY REFERENCES products (product_id),
    target_type TEXT NOT NULL CHECK (target_type IN ('USER', 'TENANT')),
    license_group TEXT NOT NULL CHECK (license_group IN ('FIRST', 'SECOND')),
    assignment_authority TEXT NOT NULL CHECK (assignment_authority IN ('PARTNER', 'PUBLISHER')),
    allowed_locations TEXT NOT NULL,
    prohibited_locations TEXT NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL
);

-- Rules between service plans: a plan NEEDS one of those that share its position, or EXCLUDES another.
CREATE TABLE plan_rules (
    product_id UUID NOT NULL REFERENCES product_rules (product_id),
    position BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('NEEDS', 'EXCLUDES')),
    plan_id UUID NOT NULL,
    other_plan_id UUID NOT NULL,
    PRIMARY KEY (product_id, position, other_plan_id)
);
CREATE INDEX plan_rules_by_plan ON plan_rules (plan_id);
CREATE INDEX plan_rules_by_other_plan ON plan_rules (other_plan_id);

-- What buyers choose among, how often it is billed and for how long they are bound, are words with spaces between them:
-- they are only ever read as a whole.
CREATE TABLE offers (
    offer_id UUID NOT NULL PRIMARY KEY,
    product_id UUID NOT NULL REFERENCES products (product_id),
    name TEXT NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    minimum_quantity BIGINT NOT NULL,
    maximum_quantity BIGINT NOT NULL,
    available BOOLEAN NOT NULL,
    trial BOOLEAN NOT NULL,
    limit_unit TEXT CHECK (limit_unit IN ('CONCURRENT', 'LIFETIME')),
    limit_count BIGINT,
    billing_cycles TEXT NOT NULL,
    terms TEXT NOT NULL,
    product_family TEXT NOT NULL,
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    CHECK (1 <= minimum_quantity AND minimum_quantity <= maximum_quantity),
    CHECK ((limit_unit IS NULL) = (limit_count IS NULL))
);
CREATE INDEX offers_by_name ON offers (name_key, offer_id);
CREATE INDEX offers_by_product ON offers (product_id);

-- Where an offer is sold; everywhere when there is no row.
CREATE TABLE offer_countries (
    offer_id UUID NOT NULL REFERENCES offers (offer_id),
    country TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (offer_id, country)
);

-- What an offer adds to: a subscription under one of these offers. An offer without a row is no add-on.
CREATE TABLE offer_parents (
    offer_id UUID NOT NULL REFERENCES offers (offer_id),
    parent_offer_id UUID NOT NULL REFERENCES offers (offer_id),
    PRIMARY KEY (offer_id, parent_offer_id)
);

-- parent_id of an add-on: what it adds to. tried_offer_id: under which offer it was tried before it was paid for. due_time:
-- when it changes by itself, because a trial or a suspension ends.
CREATE TABLE subscriptions (
    subscription_id UUID NOT NULL PRIMARY KEY,
    order_id UUID NOT NULL,
    customer_id UUID NOT NULL,
    product_id UUID NOT NULL REFERENCES products (product_id),
    offer_id UUID NOT NULL REFERENCES offers (offer_id),
    parent_id UUID REFERENCES subscriptions (subscription_id),
    friendly_name TEXT NOT NULL,
    name_key TEXT COLLATE "C" NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED', 'DELETED')),
    state_reason TEXT,
    state_time TIMESTAMPTZ NOT NULL,
    expire_time TIMESTAMPTZ,
    trial_end_time TIMESTAMPTZ,
    tried_offer_id UUID REFERENCES offers (offer_id),
    billing_cycle TEXT CHECK (billing_cycle IN ('MONTHLY', 'ANNUAL', 'TRIENNIAL', 'ONE_TIME')),
    term TEXT CHECK (term IN ('P1M', 'P1Y', 'P3Y')),
    due_time TIMESTAMPTZ,
    partner_id UUID NOT NULL,
    reseller_id UUID,
    reseller_mpn_id TEXT,
    version BIGINT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    CHECK ((reseller_id IS NULL) = (reseller_mpn_id IS NULL)),
    CHECK ((state_reason IS NULL) = (state = 'ACTIVE')),
    CHECK ((expire_time IS NULL) = (state <> 'SUSPENDED'))
);
CREATE INDEX subscriptions_by_customer ON subscriptions (customer_id, name_key, subscription_id);
CREATE INDEX subscriptions_by_product ON subscriptions (customer_id, product_id);
CREATE INDEX subscriptions_by_offer ON subscriptions (customer_id, offer_id);
CREATE INDEX subscriptions_by_tried_offer ON subscriptions (customer_id, tried_offer_id) WHERE tried_offer_id IS NOT NULL;
CREATE INDEX subscriptions_by_parent ON subscriptions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX subscriptions_by_due_time ON subscriptions (due_time, subscription_id) WHERE due_time IS NOT NULL;
CREATE INDEX subscriptions_due ON subscriptions (customer_id, due_time) WHERE due_time IS NOT NULL;

-- What happened to them. order_key counts the versions down, so that the newest comes first.
CREATE TABLE subscription_changes (
    change_id UUID NOT NULL PRIMARY KEY,
    subscription_id UUID NOT NULL REFERENCES subscriptions (subscription_id),
    order_key TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('ORDERED', 'QUANTITY_CHANGED', 'SUSPENDED', 'REACTIVATED', 'CONVERTED',
        'RESELLER_CHANGED', 'DELETED')),
    reason TEXT,
    quantity_before BIGINT NOT NULL,
    quantity_after BIGINT NOT NULL,
    actor_id UUID,
    actor_kind TEXT NOT NULL,
    actor_organization_id UUID,
    create_time TIMESTAMPTZ NOT NULL,
    UNIQUE (subscription_id, order_key)
);

-- A row to hold: whoever takes over an edition of the vendor's list has it alone.
CREATE TABLE catalog (
    catalog_id BIGINT NOT NULL PRIMARY KEY CHECK (catalog_id = 1)
);
INSERT INTO catalog (catalog_id) VALUES (1);

-- In which families of products a partner lets a customer buy by itself. It is turned under an access, whose epoch tells
-- which end of the relationship is the end of it too, in whatever order they are told.
CREATE TABLE purchase_permissions (
    customer_id UUID NOT NULL,
    partner_id UUID NOT NULL,
    product_family TEXT COLLATE "C" NOT NULL,
    permitted BOOLEAN NOT NULL,
    access_epoch BIGINT NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (customer_id, partner_id, product_family)
);

-- A customer's seats of one product, whoever sold them: all of them, and those among them whose subscription is
-- suspended. The counter is the authority on how many are taken; the CHECK is the backstop behind the rules that hold it.
CREATE TABLE pools (
    customer_id UUID NOT NULL,
    product_id UUID NOT NULL REFERENCES products (product_id),
    seats BIGINT NOT NULL,
    suspended BIGINT NOT NULL,
    consumed BIGINT NOT NULL,
    PRIMARY KEY (customer_id, product_id),
    CHECK (0 <= suspended AND suspended <= seats),
    CHECK (0 <= consumed AND consumed <= seats)
);

-- Who takes them. Without a reference to the pool: whoever writes here holds the pool's row, and a check for each of ten
-- thousand rows would make the others wait for it longer. The service plans that are left out are ids with spaces between
-- them, in ascending order: they are only ever read as a whole.
CREATE TABLE assignments (
    customer_id UUID NOT NULL,
    product_id UUID NOT NULL,
    user_id UUID NOT NULL,
    excluded_plans TEXT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (customer_id, product_id, user_id)
);
CREATE INDEX assignments_by_user ON assignments (customer_id, user_id);

-- What users held who were deleted, for the case that they come back. A later deletion replaces it.
CREATE TABLE license_snapshots (
    customer_id UUID NOT NULL,
    user_id UUID NOT NULL,
    product_id UUID NOT NULL,
    excluded_plans TEXT NOT NULL,
    assign_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (customer_id, user_id, product_id)
);
