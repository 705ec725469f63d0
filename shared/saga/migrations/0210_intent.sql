-- Intents: what a participant knows of a decision that somebody else is about to make.

CREATE TABLE intents (
    decision_id UUID NOT NULL,
    first_id UUID NOT NULL,
    second_id UUID NOT NULL,
    epoch BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('OPEN', 'CANCELED', 'SETTLED')),
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (decision_id, first_id, second_id)
);
CREATE INDEX intents_open ON intents (first_id, second_id) WHERE state = 'OPEN';
