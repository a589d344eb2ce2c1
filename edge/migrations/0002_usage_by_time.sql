-- Records that are older than they are kept are found without looking at the others.
CREATE INDEX usage_records_by_time ON usage_records (at);
