-- Sagas: what goes on after the call that began it, and survives every crash.

CREATE TABLE sagas (
    saga_id UUID NOT NULL PRIMARY KEY,
    flow TEXT NOT NULL,
    request BYTEA NOT NULL,
    caller TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('PREPARING', 'COMMITTED', 'ABORTING', 'SETTLED', 'ABORTED')),
    refusal_kind TEXT,
    refusal_reason TEXT,
    refusal_message TEXT,
    attempts BIGINT NOT NULL,
    lease_epoch BIGINT NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL,
    budget_until TIMESTAMPTZ NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL
);
CREATE INDEX sagas_due ON sagas (lease_until) WHERE state IN ('PREPARING', 'COMMITTED', 'ABORTING');

CREATE TABLE saga_steps (
    saga_id UUID NOT NULL REFERENCES sagas (saga_id),
    step TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('PREPARED', 'CANCELED', 'SETTLED')),
    outcome BYTEA NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (saga_id, step, kind)
);
