-- What every service keeps beside its nouns: saved replies, the journal, the outbox, floors and keys.

CREATE TABLE replays (
    principal_key BYTEA NOT NULL,
    method TEXT NOT NULL,
    request_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    reply BYTEA,
    sealed BOOLEAN NOT NULL,
    secret_subject UUID,
    continuation UUID,
    create_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (principal_key, method, request_id)
);
CREATE INDEX replays_by_subject ON replays (secret_subject) WHERE secret_subject IS NOT NULL;
CREATE INDEX replays_by_continuation ON replays (continuation) WHERE continuation IS NOT NULL;
CREATE INDEX replays_by_time ON replays (create_time);

-- order_key is the time counted down, so that the newest entry comes first.
CREATE TABLE journal (
    entry_id UUID NOT NULL PRIMARY KEY,
    order_key TEXT COLLATE "C" NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    actor_id UUID,
    actor_kind TEXT NOT NULL,
    on_behalf_of_id UUID,
    organization_id UUID,
    customer_id UUID,
    action TEXT NOT NULL,
    action_key TEXT COLLATE "C" NOT NULL,
    target_kind TEXT NOT NULL,
    target_id UUID,
    changes TEXT NOT NULL,
    request_hash BYTEA,
    outcome TEXT NOT NULL CHECK (outcome IN ('SUCCEEDED', 'FAILED')),
    reason TEXT NOT NULL
);
CREATE INDEX journal_by_organization ON journal (organization_id, order_key, entry_id);
CREATE INDEX journal_by_customer ON journal (customer_id, order_key, entry_id);
CREATE INDEX journal_by_order ON journal (order_key, entry_id);

-- Names, addresses and numbers of people: purge deletes them here and the entry keeps the subject's id.
CREATE TABLE journal_personal (
    entry_id UUID NOT NULL REFERENCES journal (entry_id),
    subject_id UUID NOT NULL,
    field TEXT NOT NULL,
    before_value TEXT NOT NULL,
    after_value TEXT NOT NULL,
    PRIMARY KEY (entry_id, subject_id, field)
);
CREATE INDEX journal_personal_by_subject ON journal_personal (subject_id);

CREATE TABLE outbox (
    outbox_id UUID NOT NULL PRIMARY KEY,
    destination TEXT NOT NULL,
    aggregate_id UUID NOT NULL,
    version BIGINT NOT NULL,
    fact BYTEA NOT NULL,
    delivery_id UUID,
    attempts BIGINT NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL,
    receiver_away BOOLEAN NOT NULL,
    create_time TIMESTAMPTZ NOT NULL
);
CREATE INDEX outbox_receiver_away ON outbox (destination, outbox_id) WHERE receiver_away;
CREATE INDEX outbox_by_destination ON outbox (destination, lease_until);
CREATE INDEX outbox_by_aggregate ON outbox (aggregate_id);
CREATE INDEX outbox_by_delivery ON outbox (delivery_id) WHERE delivery_id IS NOT NULL;

CREATE TABLE principal_floors (
    principal_id UUID NOT NULL PRIMARY KEY,
    auth_version BIGINT NOT NULL
);

CREATE TABLE verification_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    public_key BYTEA NOT NULL,
    fetch_time TIMESTAMPTZ NOT NULL
);
