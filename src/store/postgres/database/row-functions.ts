/**
 * The functions that save the data beside the log, each in one call: steps of projections, snapshots and leases.
 * `begin_step` and `end_step` are the two halves of `save_step`, for a step with work that writes tables of its own
 * between them. That work may have changed any setting.
 */
import { beginWriting, pinnedPlans, presentIn, writingIn } from './writing.ts'

/** @param schema quoted */
export const rowFunctionsIn = (schema: string): string =>
  [stepFunctionsIn(schema), snapshotFunctionIn(schema), leaseFunctionIn(schema)].join('')

const stepFunctionsIn = (schema: string): string => `
CREATE FUNCTION ${schema}.lock_step(
  durable boolean, lock_wait text, of_projection text, OUT actual bigint, OUT actual_term bigint
) LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
BEGIN
  ${beginWriting}
  LOOP
    SELECT p.position, p.term INTO actual, actual_term FROM ${schema}.projections p WHERE p.name = of_projection FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO ${schema}.projections (name, position, term, note) VALUES (of_projection, 0, 0, '{}') ON CONFLICT DO NOTHING;
  END LOOP;
END $mneme$;
CREATE FUNCTION ${schema}.begin_step(
  durable boolean, lock_wait text, of_projection text, OUT actual bigint, OUT actual_term bigint
) LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
BEGIN
  SELECT l.actual, l.actual_term INTO actual, actual_term FROM ${schema}.lock_step(durable, lock_wait, of_projection) l;
  ${writingIn('off')}
END $mneme$;
CREATE FUNCTION ${schema}.save_rows(
  of_projection text, reached bigint, reached_term bigint, noted text, keys text[], rows text[], escaped_rows text[]
) RETURNS void LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
BEGIN
  IF keys IS NOT NULL THEN
    DELETE FROM ${schema}.projection_rows r USING unnest(keys, rows, escaped_rows) g (key, value, escaped)
    WHERE r.projection = of_projection AND r.key = g.key AND g.value IS NULL AND g.escaped IS NULL;
    INSERT INTO ${schema}.projection_rows (projection, key, value, escaped)
    SELECT of_projection, g.key, g.value::json, g.escaped FROM unnest(keys, rows, escaped_rows) g (key, value, escaped)
    WHERE g.value IS NOT NULL OR g.escaped IS NOT NULL
    ON CONFLICT (projection, key) DO UPDATE SET value = excluded.value, escaped = excluded.escaped;
  END IF;
  UPDATE ${schema}.projections p SET position = reached, term = reached_term, note = noted::json
  WHERE p.name = of_projection AND (p.position <> reached OR p.term <> reached_term OR p.note::text <> noted);
END $mneme$;
CREATE FUNCTION ${schema}.end_step(
  durable boolean, lock_wait text, of_projection text, reached bigint, reached_term bigint, noted text, keys text[],
  rows text[], escaped_rows text[]
) RETURNS void LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
BEGIN
  ${beginWriting}
  IF current_setting('client_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'client_encoding must be UTF8, not %', current_setting('client_encoding');
  END IF;
  PERFORM ${schema}.save_rows(of_projection, reached, reached_term, noted, keys, rows, escaped_rows);
END $mneme$;
CREATE FUNCTION ${schema}.save_step(
  durable boolean, lock_wait text, of_projection text, computed_from bigint, computed_in bigint, reached bigint,
  reached_term bigint, noted text, keys text[], rows text[], escaped_rows text[], OUT actual bigint, OUT actual_term bigint
) LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
BEGIN
  SELECT b.actual, b.actual_term INTO actual, actual_term FROM ${schema}.lock_step(durable, lock_wait, of_projection) b;
  IF actual = computed_from AND actual_term = computed_in THEN
    PERFORM ${schema}.save_rows(of_projection, reached, reached_term, noted, keys, rows, escaped_rows);
  END IF;
END $mneme$;
CREATE FUNCTION ${schema}.reset_projection(durable boolean, lock_wait text, of_projection text)
RETURNS void LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
BEGIN
  PERFORM ${schema}.lock_step(durable, lock_wait, of_projection);
  DELETE FROM ${schema}.projection_rows r WHERE r.projection = of_projection;
  DELETE FROM ${schema}.projections p WHERE p.name = of_projection;
END $mneme$;
`

const snapshotFunctionIn = (schema: string): string => `
CREATE FUNCTION ${schema}.save_snapshot(
  durable boolean, lock_wait text, of_aggregate text, of_id text, at bigint, of_revision bigint, taken bigint,
  of_event bigint, of_functions text, saved text, keep integer
) RETURNS void LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
BEGIN
  ${beginWriting}
  INSERT INTO ${schema}.snapshots (aggregate, id, sequence, state_revision, taken_at, checksum, fingerprint, state)
  VALUES (of_aggregate, of_id, at, of_revision, taken, of_event, of_functions, saved::json)
  ON CONFLICT (aggregate, id, sequence) DO UPDATE
  SET state_revision = excluded.state_revision, taken_at = excluded.taken_at, checksum = excluded.checksum,
    fingerprint = excluded.fingerprint, state = excluded.state;
  DELETE FROM ${schema}.snapshots s WHERE s.aggregate = of_aggregate AND s.id = of_id AND s.sequence <= (
    SELECT k.sequence FROM ${schema}.snapshots k WHERE k.aggregate = of_aggregate AND k.id = of_id
    ORDER BY k.sequence DESC OFFSET keep LIMIT 1
  );
END $mneme$;
`

/**
 * Times are those of the server's clock, read after the row is locked, so that the wait for the lock counts. A first
 * look without a lock serves standby processes, which ask often: a lock would be a write. If a lease has more time left
 * than it was taken for, it was set by a clock that was ahead (another server's, before a failover), and counts as
 * expired.
 */
const isHeldIn = 'until > present AND until <= present + lasting'
const leaseFunctionIn = (schema: string): string => `
CREATE FUNCTION ${schema}.acquire_lease(
  durable boolean, lock_wait text, of_name text, by_owner text, duration bigint, OUT holder text, OUT until bigint
) LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
DECLARE
  present bigint := ${presentIn};
  lasting bigint;
BEGIN
  SELECT l.owner, l.expires_at, l.duration_ms INTO holder, until, lasting FROM ${schema}.leases l WHERE l.name = of_name;
  IF FOUND AND holder <> by_owner AND ${isHeldIn} THEN RETURN; END IF;
  ${beginWriting}
  LOOP
    SELECT l.owner, l.expires_at, l.duration_ms INTO holder, until, lasting FROM ${schema}.leases l
    WHERE l.name = of_name FOR UPDATE;
    present := ${presentIn};
    IF FOUND AND holder <> by_owner AND ${isHeldIn} THEN RETURN; END IF;
    IF FOUND THEN
      UPDATE ${schema}.leases l SET owner = by_owner, expires_at = present + duration, duration_ms = duration
      WHERE l.name = of_name;
    ELSE
      INSERT INTO ${schema}.leases (name, owner, expires_at, duration_ms) VALUES (of_name, by_owner, present + duration, duration)
      ON CONFLICT DO NOTHING;
    END IF;
    IF FOUND THEN
      holder := by_owner;
      until := present + duration;
      RETURN;
    END IF;
  END LOOP;
END $mneme$;
CREATE FUNCTION ${schema}.release_lease(of_name text, by_owner text) RETURNS void LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
BEGIN
  ${writingIn('on')}
  DELETE FROM ${schema}.leases l WHERE l.name = of_name AND l.owner = by_owner;
END $mneme$;
`
