/**
 * The function that appends a batch: one call, one transaction, one round trip, one sync.
 *
 * 1. Kinds that are new get their numbers.
 * 2. The streams are locked, always in the same order, so that two batches cannot wait for each other in a circle. What is
 *    read after that is what the locks protect: at `read committed` each statement sees what was committed before it.
 * 3. The batch is judged. Usually every commit is met and none is a repetition; one look says so, for all at once. Else
 *    each commit is judged in order, by the rule of `expected.ts`, and the ones that are not met are left out.
 * 4. The head is locked, last of all, and only now are positions given. It stays locked until the transaction has ended, so
 *    the next to get positions comes after these have become visible: no reader ever sees one before all below it.
 * 5. The events are inserted as a set, and a notification goes out with the commit.
 *
 * The planner's choices are pinned: a plan that was made when the tables were small is used when they are large.
 *
 * Tidy: functions longer than 70 lines because one is a function in SQL, which is best read in one piece.
 */

/** What a batch may find out: the codes of `outcomes`, in which four numbers stand for a commit. */
export const outcome = { stored: 0, duplicate: 1, conflict: 2, duplicateInBatch: 3 } as const

/** `read committed` is what the function stands on; this is how it says that it is run otherwise. */
export const wrongIsolation = 'MN001'

/** How a stream's needs are written where no exact sequence is meant: see `need` in batch.ts. */
export const needs = { anything: -1, someEvent: -2, aLook: -3 } as const

/** How an expectation is written that is not an exact sequence. */
export const expectations = { any: -1, none: -2, exists: -3 } as const

const steps = `enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off`

/** Says before a function that plans are not left to what the tables look like at first. */
export const pinnedPlans: string = `SET ${steps}`

/**
 * The start of every function that writes: durable whatever the defaults of the database are (a stricter setting stays),
 * and never waiting for a lock without end. `durable` and `lock_wait` are parameters of each.
 */
export const beginWriting: string = `
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'this runs at read committed' USING ERRCODE = '${wrongIsolation}';
  END IF;
  IF NOT durable THEN
    PERFORM set_config('synchronous_commit', 'off', true);
  ELSIF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  PERFORM set_config('lock_timeout', lock_wait, true);`

/** Of the two that wait for a lock, the server gives up first: then it is certain that nothing was written. */
export const lockWaitOf = (timeoutMs: number): string => `${Math.ceil(timeoutMs * 0.9)}ms`

/** @param schema quoted @param channel where notifications go */
export const appendFunctionIn = (schema: string, channel: string): string => `
CREATE FUNCTION ${schema}.append_batch(
  durable boolean,
  lock_wait text,
  careful boolean,
  aggregates text[],
  ids text[],
  needed bigint[],
  creates boolean[],
  kind_aggregates text[],
  kind_types text[],
  commit_streams integer[],
  commit_chains integer[],
  commit_expected bigint[],
  commit_ids text[],
  commit_times bigint[],
  commit_sizes integer[],
  commit_same integer[],
  commit_offsets bigint[],
  commit_before bigint[],
  repeatable integer[],
  event_commits integer[],
  event_places integer[],
  event_kinds integer[],
  event_revisions bigint[],
  event_data text[],
  event_metadata text[],
  event_tag_lists text[],
  tag_events integer[],
  tags text[],
  OUT base bigint,
  OUT sequences bigint[],
  OUT outcomes bigint[]
) LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
DECLARE
  kind_numbers integer[];
  numbers bigint[];
  missing integer;
  added integer;
  total bigint := coalesce(cardinality(event_commits), 0);
BEGIN
  ${beginWriting}

  SELECT array_agg(k.number ORDER BY g.i) INTO kind_numbers
  FROM unnest(kind_aggregates, kind_types) WITH ORDINALITY g (aggregate, type, i)
  LEFT JOIN ${schema}.kinds k ON k.aggregate = g.aggregate AND k.type = g.type;
  IF array_position(kind_numbers, NULL) IS NOT NULL THEN
    INSERT INTO ${schema}.kinds (aggregate, type)
    SELECT g.aggregate, g.type FROM unnest(kind_aggregates, kind_types) WITH ORDINALITY g (aggregate, type, i)
    WHERE kind_numbers[g.i] IS NULL ORDER BY g.i
    ON CONFLICT DO NOTHING;
    SELECT array_agg(k.number ORDER BY g.i) INTO kind_numbers
    FROM unnest(kind_aggregates, kind_types) WITH ORDINALITY g (aggregate, type, i)
    JOIN ${schema}.kinds k ON k.aggregate = g.aggregate AND k.type = g.type;
  END IF;

  SELECT array_agg(l.number ORDER BY l.i) INTO numbers FROM (
    SELECT g.i, s.number FROM unnest(aggregates, ids) WITH ORDINALITY g (aggregate, id, i)
    JOIN ${schema}.streams s ON s.aggregate = g.aggregate AND s.id = g.id
    ORDER BY s.number FOR UPDATE OF s
  ) l;
  missing := cardinality(ids) - coalesce(cardinality(numbers), 0);
  IF missing > 0 THEN
    INSERT INTO ${schema}.streams (aggregate, id)
    SELECT g.aggregate, g.id FROM unnest(aggregates, ids, creates) WITH ORDINALITY g (aggregate, id, creates, i)
    WHERE g.creates AND NOT EXISTS (
      SELECT FROM ${schema}.streams s WHERE s.aggregate = g.aggregate AND s.id = g.id
    )
    ORDER BY g.i
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added < missing THEN
      -- Some are not to be made, or were made by another meanwhile: those are to be locked as well.
      PERFORM FROM unnest(aggregates, ids) g (aggregate, id)
      JOIN ${schema}.streams s ON s.aggregate = g.aggregate AND s.id = g.id
      ORDER BY s.number FOR UPDATE OF s;
    END IF;
    SELECT array_agg(s.number ORDER BY g.i) INTO numbers
    FROM unnest(aggregates, ids) WITH ORDINALITY g (aggregate, id, i)
    LEFT JOIN ${schema}.streams s ON s.aggregate = g.aggregate AND s.id = g.id;
  END IF;

  SELECT array_agg(coalesce((
    SELECT e.sequence FROM ${schema}.events e WHERE e.stream = n.number ORDER BY e.sequence DESC LIMIT 1
  ), 0) ORDER BY n.i) INTO sequences
  FROM unnest(numbers) WITH ORDINALITY n (number, i);

  IF careful OR EXISTS (
    SELECT FROM unnest(needed, sequences) g (need, sequence)
    WHERE NOT (g.need = g.sequence OR g.need = ${needs.anything} OR (g.need = ${needs.someEvent} AND g.sequence > 0))
  ) OR (repeatable IS NOT NULL AND EXISTS (
    SELECT FROM unnest(repeatable) c (i)
    JOIN ${schema}.events e ON e.stream = numbers[commit_streams[c.i]] AND e.commit_id = commit_ids[c.i]
      AND e.commit_size IS NOT NULL
    WHERE sequences[commit_streams[c.i]] > 0
  )) THEN
    SELECT * INTO commit_offsets, commit_before, total, outcomes
    FROM ${schema}.judge_commits(numbers, sequences, commit_streams, commit_chains, commit_expected, commit_ids,
      commit_sizes, commit_same);
    IF total = 0 THEN RETURN; END IF;
  END IF;

  PERFORM FROM ${schema}.head FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the table head has no row' USING ERRCODE = 'data_corrupted';
  END IF;
  SELECT coalesce((SELECT e.position FROM ${schema}.events e ORDER BY e.position DESC LIMIT 1), 0) INTO base;
  INSERT INTO ${schema}.events (position, stream, sequence, recorded_at, kind, revision, commit_size, commit_id, data,
    metadata, tags)
  SELECT base + commit_before[e.commit] + e.place, numbers[commit_streams[e.commit]],
    sequences[commit_streams[e.commit]] + commit_offsets[e.commit] + e.place, commit_times[e.commit],
    kind_numbers[e.kind], e.revision, CASE e.place WHEN 1 THEN commit_sizes[e.commit] END, commit_ids[e.commit],
    e.data::json, e.metadata::json, e.tags::text[]
  FROM unnest(event_commits, event_places, event_kinds, event_revisions, event_data, event_metadata, event_tag_lists)
    AS e (commit, place, kind, revision, data, metadata, tags)
  WHERE commit_before[e.commit] IS NOT NULL;
  IF tags IS NOT NULL THEN
    INSERT INTO ${schema}.event_tags (tag, position)
    SELECT t.tag, base + commit_before[event_commits[t.event]] + event_places[t.event]
    FROM unnest(tag_events, tags) t (event, tag)
    WHERE commit_before[event_commits[t.event]] IS NOT NULL;
  END IF;
  PERFORM pg_notify('${channel}', (base + total)::text);
END $mneme$;
`

/**
 * Judges the commits of a batch one by one: what the streams' locks protect decides, not what the batch has hoped. Of a commit
 * that is not to be stored, `offsets` and `before` are null. A chain is the commits of one caller on one stream: once one of
 * them is not stored, those that expect an exact sequence are not either.
 *
 * @param schema quoted
 */
export const judgeFunctionIn = (schema: string): string => `
CREATE FUNCTION ${schema}.judge_commits(
  numbers bigint[],
  sequences bigint[],
  commit_streams integer[],
  commit_chains integer[],
  commit_expected bigint[],
  commit_ids text[],
  commit_sizes integer[],
  commit_same integer[],
  OUT offsets bigint[],
  OUT before bigint[],
  OUT total bigint,
  OUT outcomes bigint[]
) LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
DECLARE
  count integer := cardinality(commit_streams);
  lasts bigint[] := sequences;
  broken boolean[] := array_fill(false, ARRAY[count]);
  statuses integer[] := array_fill(NULL::integer, ARRAY[count]);
  s integer;
  expected bigint;
  status integer;
  stored record;
BEGIN
  offsets := array_fill(NULL::bigint, ARRAY[count]);
  before := array_fill(NULL::bigint, ARRAY[count]);
  outcomes := array_fill(0::bigint, ARRAY[4 * count]);
  total := 0;
  FOR c IN 1 .. count LOOP
    s := commit_streams[c];
    expected := commit_expected[c];
    IF commit_same[c] > 0 AND statuses[commit_same[c]] <> ${outcome.conflict} THEN
      status := ${outcome.duplicateInBatch};
    ELSE
      SELECT e.sequence, e.position, e.commit_size INTO stored FROM ${schema}.events e
      WHERE e.stream = numbers[s] AND e.commit_id = commit_ids[c] AND e.commit_size IS NOT NULL;
      status := CASE
        WHEN FOUND THEN ${outcome.duplicate}
        WHEN expected = ${expectations.any} THEN ${outcome.stored}
        WHEN expected = ${expectations.none} AND lasts[s] = 0 THEN ${outcome.stored}
        WHEN expected = ${expectations.exists} AND lasts[s] > 0 THEN ${outcome.stored}
        WHEN expected = lasts[s] AND NOT broken[commit_chains[c]] THEN ${outcome.stored}
        ELSE ${outcome.conflict} END;
    END IF;
    statuses[c] := status;
    outcomes[4 * c - 3] := status;
    IF status = ${outcome.stored} THEN
      offsets[c] := lasts[s] - sequences[s];
      before[c] := total;
      lasts[s] := lasts[s] + commit_sizes[c];
      total := total + commit_sizes[c];
      outcomes[4 * c - 2] := lasts[s];
      outcomes[4 * c - 1] := total;
      outcomes[4 * c] := commit_sizes[c];
    ELSE
      broken[commit_chains[c]] := true;
      IF status = ${outcome.conflict} THEN
        outcomes[4 * c - 2] := lasts[s];
      ELSIF status = ${outcome.duplicate} THEN
        outcomes[4 * c - 2] := stored.sequence + stored.commit_size - 1;
        outcomes[4 * c - 1] := stored.position + stored.commit_size - 1;
        outcomes[4 * c] := stored.commit_size;
      END IF;
    END IF;
  END LOOP;
END $mneme$;
`
