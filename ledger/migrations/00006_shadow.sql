-- Finds the transactions with steps that are only compared with what happened.
create index command_keys_shadow on command_keys (transaction_id) where status = 'shadow';
