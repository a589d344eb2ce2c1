-- API keys. Times are unix milliseconds. A key itself is stored nowhere, only its digest.
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  -- SHA-256 of the key, lower-case hex.
  digest TEXT NOT NULL UNIQUE,
  -- The first characters of the key, so that people can tell their keys apart.
  prefix TEXT NOT NULL,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  -- Separated by spaces.
  scopes TEXT NOT NULL,
  requests_per_minute INTEGER NOT NULL,
  tokens_per_minute INTEGER NOT NULL,
  -- NULL: no quota.
  tokens_per_month INTEGER,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) STRICT;

CREATE INDEX api_keys_by_tenant ON api_keys (tenant, id);

-- One row for each generation request that was admitted. Never any text.
CREATE TABLE usage_records (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  key_id TEXT NOT NULL,
  model TEXT NOT NULL,
  mode TEXT NOT NULL,
  -- done, failed, client-gone, stalled, or the error code of a refusal.
  status TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  forwards INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX usage_records_by_tenant ON usage_records (tenant, at);
CREATE INDEX usage_records_by_key ON usage_records (key_id, at);
