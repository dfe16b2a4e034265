-- The due time for which a target's check was sent: many targets are claimed by one statement.
ALTER TABLE health_states ADD COLUMN claimed_due $time;
