-- Of every database; `$KEY`, `$BYTES` and `$ROWLESS` are as each says them.
CREATE TABLE IF NOT EXISTS store (
  one $KEY CHECK (one = 1), version BIGINT NOT NULL, chain TEXT NOT NULL, last BIGINT NOT NULL,
  exchanges BIGINT NOT NULL, bytes BIGINT NOT NULL DEFAULT 0, forgotten BIGINT NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS chains (id $KEY, chain TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records (
  id $KEY, chain BIGINT NOT NULL REFERENCES chains (id), seq BIGINT NOT NULL, hash $BYTES NOT NULL,
  said TEXT, time BIGINT NOT NULL, arrived BIGINT NOT NULL, event TEXT NOT NULL, exchange BIGINT,
  body TEXT NOT NULL, UNIQUE (chain, seq, hash));
CREATE INDEX IF NOT EXISTS records_exchange ON records (exchange) WHERE exchange IS NOT NULL;
CREATE TABLE IF NOT EXISTS gaps (
  chain BIGINT NOT NULL REFERENCES chains (id), first BIGINT NOT NULL, last BIGINT NOT NULL, since BIGINT NOT NULL,
  alerted BIGINT NOT NULL, PRIMARY KEY (chain, first));
CREATE TABLE IF NOT EXISTS removed (
  chain $KEY REFERENCES chains (id), last BIGINT NOT NULL, hash $BYTES NOT NULL, records BIGINT NOT NULL,
  why TEXT NOT NULL, said BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS exchanges (
  id $KEY, chain BIGINT NOT NULL REFERENCES chains (id), exchange TEXT NOT NULL, time BIGINT NOT NULL,
  rank BIGINT NOT NULL, user_id TEXT, connection TEXT, policy TEXT, revision TEXT, decision TEXT, reason TEXT, rule TEXT,
  model TEXT, outcome TEXT, UNIQUE (exchange, chain));
CREATE INDEX IF NOT EXISTS exchanges_time ON exchanges (time, id);
CREATE TABLE IF NOT EXISTS terms (
  id $KEY, kind BIGINT NOT NULL, value TEXT NOT NULL, UNIQUE (kind, value));
CREATE TABLE IF NOT EXISTS marks (
  term BIGINT NOT NULL, time BIGINT NOT NULL, exchange BIGINT NOT NULL, PRIMARY KEY (term, time, exchange))$ROWLESS;
CREATE TABLE IF NOT EXISTS approvals (
  number $KEY, changed BIGINT NOT NULL, id TEXT NOT NULL UNIQUE, binding TEXT NOT NULL, standing TEXT UNIQUE,
  caller TEXT NOT NULL, opened BIGINT NOT NULL, expires BIGINT NOT NULL, state TEXT NOT NULL, exchange TEXT,
  votes TEXT NOT NULL, asked TEXT NOT NULL,
  CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'spent')),
  CHECK ((state = 'spent') = (exchange IS NOT NULL)));
CREATE INDEX IF NOT EXISTS approvals_changed ON approvals (changed);
CREATE INDEX IF NOT EXISTS approvals_state ON approvals (state, number);
CREATE INDEX IF NOT EXISTS approvals_expires ON approvals (expires);
CREATE INDEX IF NOT EXISTS approvals_open ON approvals (expires) WHERE state IN ('pending', 'approved');
CREATE INDEX IF NOT EXISTS approvals_caller ON approvals (caller) WHERE state IN ('pending', 'approved');
