/**
 * The functions for many streams at once: where they end, which there are, and their reservations.
 *
 * The ends of streams are read on the primary with the snapshot of the calling statement, which is taken when the
 * question has arrived. It therefore contains everything that was acknowledged before the question. Reservations only
 * serve fairness: a call does not wait for one longer than a moment, and they need not be durable.
 */
import { beginWriting, pinnedPlans, presentIn } from './writing.ts'

/** An expiry that is further ahead was set before the clock went back. */
const reservationMsMax = 60_000

/** Whether a reservation `r` is valid at the time `present`. */
export const isReservedIn: string = `r.expires_at > present AND r.expires_at <= present + ${reservationMsMax}`

const lockWait = '200ms'

/** @param schema quoted */
export const streamFunctionsIn = (schema: string): string => `
CREATE FUNCTION ${schema}.stream_ends(aggregates text[], ids text[], OUT sequences bigint[], OUT checksums integer[])
LANGUAGE plpgsql STABLE ${pinnedPlans} AS $mneme$
BEGIN
  SELECT array_agg(coalesce(l.sequence, 0) ORDER BY g.i), array_agg(coalesce(l.checksum, 0) ORDER BY g.i)
  INTO sequences, checksums
  FROM unnest(aggregates, ids) WITH ORDINALITY g (aggregate, id, i)
  LEFT JOIN ${schema}.streams s ON s.aggregate = g.aggregate AND s.id = g.id
  LEFT JOIN LATERAL (
    SELECT e.sequence, e.checksum FROM ${schema}.events e WHERE e.stream = s.number ORDER BY e.sequence DESC LIMIT 1
  ) l ON true;
END $mneme$;
CREATE FUNCTION ${schema}.reserve_streams(aggregates text[], ids text[], by_writer text, duration bigint, OUT given boolean[])
LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
DECLARE
  durable boolean := false;
  lock_wait text := '${lockWait}';
  present bigint;
BEGIN
  ${beginWriting}
  present := ${presentIn};
  DELETE FROM ${schema}.reservations d USING (
    SELECT r.aggregate, r.id FROM ${schema}.reservations r WHERE NOT (${isReservedIn}) FOR UPDATE SKIP LOCKED
  ) o WHERE d.aggregate = o.aggregate AND d.id = o.id;
  INSERT INTO ${schema}.reservations AS r (aggregate, id, writer, expires_at)
  SELECT g.aggregate, g.id, by_writer, present + duration
  FROM (SELECT DISTINCT u.aggregate COLLATE "C" AS aggregate, u.id COLLATE "C" AS id FROM unnest(aggregates, ids) u (aggregate, id)) g
  WHERE NOT EXISTS (
    SELECT FROM ${schema}.reservations r
    WHERE r.aggregate = g.aggregate AND r.id = g.id AND r.writer <> by_writer AND ${isReservedIn}
  )
  ORDER BY g.aggregate, g.id
  ON CONFLICT (aggregate, id) DO UPDATE SET writer = excluded.writer, expires_at = excluded.expires_at
  WHERE r.writer = excluded.writer OR NOT (${isReservedIn});
  SELECT array_agg(r.writer IS NOT DISTINCT FROM by_writer ORDER BY g.i) INTO given
  FROM unnest(aggregates, ids) WITH ORDINALITY g (aggregate, id, i)
  LEFT JOIN ${schema}.reservations r ON r.aggregate = g.aggregate AND r.id = g.id;
END $mneme$;
`

/**
 * The function that lists streams: a walk along the index. Its plan is pinned, because a server that has not counted
 * the table yet would sort all streams of the aggregate. A stream may have a number and no events, if a commit to it
 * was not stored.
 *
 * @param schema quoted
 */
export const listFunctionIn = (schema: string): string => `
CREATE FUNCTION ${schema}.list_streams(of_aggregate text, after_id text, wanted bigint)
RETURNS TABLE (found_id text, has_events boolean)
LANGUAGE plpgsql STABLE ${pinnedPlans} SET enable_bitmapscan = off SET enable_sort = off AS $mneme$
BEGIN
  RETURN QUERY SELECT n.id, l.has_events FROM (
    SELECT s.number, s.id FROM ${schema}.streams s WHERE s.aggregate = of_aggregate AND s.id > after_id ORDER BY s.id LIMIT wanted
  ) n LEFT JOIN LATERAL (SELECT true AS has_events FROM ${schema}.events e WHERE e.stream = n.number LIMIT 1) l ON true
  ORDER BY n.id;
END $mneme$;
`
