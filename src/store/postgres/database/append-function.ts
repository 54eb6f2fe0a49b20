/**
 * The function that appends a batch: one call, one transaction, one round trip, one sync.
 *
 * 1. New kinds get their numbers, then new streams get theirs, each in the order of their names. Then the streams are
 *    locked in the order of their numbers. A batch that waits for a name holds only earlier names. A batch that waits
 *    for a lock holds only names and lower locks. Therefore no two batches wait for each other in a circle.
 * 2. Everything that is read after that is protected by the locks: at `read committed` each statement sees what was
 *    committed before it.
 * 3. The batch is judged. Usually every commit can be stored and none is a repetition, and one look shows that for all
 *    at once. Otherwise each commit is judged in order, by the rule of `expectation.ts`, and commits whose expectation
 *    does not hold are left out.
 * 4. The head is locked last, and only then are positions assigned. It stays locked until the transaction ends, so the
 *    next batch gets its positions after these are visible. No reader ever sees a position before all lower ones.
 * 5. The events are inserted as a set, and a notification is sent with the commit.
 *
 * Nearly always nothing is reserved. One look at an empty table shows that.
 *
 * The plans are pinned, because a plan that was made when the tables were small is still used when they are large.
 *
 * Tidy: functions longer than 70 lines because one is a function in SQL, which is best read in one piece.
 */
import { placeMarkIn } from './checksum.ts'
import { isReservedIn } from './stream-functions.ts'
import { beginWriting, pinnedPlans, presentIn } from './writing.ts'

/** The codes of `outcomes`, and how many numbers there are for each commit. */
export const outcome = { stored: 0, duplicate: 1, conflict: 2, duplicateInBatch: 3, reserved: 4 } as const
export const outcomeWidth = 7

/** The codes of a stream's need if it is not an exact sequence: see `need` in batch.ts. */
export const needs = { anything: -1, someEvent: -2, aLook: -3 } as const

/** The codes of an expectation that is not an exact sequence. */
export const expectations = { any: -1, none: -2, exists: -3 } as const

/** The code of a commit without a command. */
export const noDigest = -1

/**
 * The parameters of the function, in order. Commits, streams, kinds and writers are named by their places in the lists,
 * from 1.
 *
 * Each value of a list costs both sides something, and most batches are alike: each commit has one event, of one kind,
 * for one command. So a list of one stands for as many equal values (`commit_times`, `commit_commands`,
 * `event_revisions`), and a list may be absent:
 *
 * - `event_commits`, `event_places`, `commit_sizes`, `commit_before`: each commit has one event.
 * - `event_kinds`: all events are of the first kind.
 * - `event_metadata`, `event_tag_lists`: no event has any.
 * - `commit_expected`, `commit_chains`, `commit_same`: each commit expects what `needed` says of its stream, after the
 *   commits before it; a stream is a chain; and no id occurs twice.
 */
const batchParameters = {
  durable: 'boolean',
  lock_wait: 'text',
  notifies: 'boolean',
  careful: 'boolean',
  aggregates: 'text[]',
  ids: 'text[]',
  needed: 'bigint[]',
  creates: 'boolean[]',
  kind_aggregates: 'text[]',
  kind_types: 'text[]',
  writers: 'text[]',
  commit_writers: 'integer[]',
  commit_streams: 'integer[]',
  commit_chains: 'integer[]',
  commit_expected: 'bigint[]',
  commit_ids: 'text[]',
  commit_times: 'bigint[]',
  commit_sizes: 'integer[]',
  commit_same: 'integer[]',
  commit_offsets: 'bigint[]',
  commit_before: 'bigint[]',
  commit_hashes: 'integer[]',
  commit_commands: 'text[]',
  commit_digests: 'bigint[]',
  repeatable: 'integer[]',
  event_commits: 'integer[]',
  event_places: 'integer[]',
  event_kinds: 'integer[]',
  event_revisions: 'bigint[]',
  event_sizes: 'integer[]',
  event_hashes: 'integer[]',
  event_data: 'text[]',
  event_metadata: 'text[]',
  event_tag_lists: 'text[]',
  tag_events: 'integer[]',
  tags: 'text[]',
} as const

export type BatchParameter = keyof typeof batchParameters

export const batchParameterNames: readonly BatchParameter[] = Object.keys(batchParameters) as BatchParameter[]

/** The columns of the answer. */
const batchAnswer = { base: 'bigint', sequences: 'bigint[]', outcomes: 'bigint[]', commands: 'json' } as const

const answerNames = Object.keys(batchAnswer)
const declared = (prefix: string, parameters: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(parameters).map(([name, type]) => `${prefix}${name} ${type}`)
const marks = batchParameterNames.map((_, i) => `$${i + 1}`)

/** The call. @param schema quoted */
export const batchCall = (schema: string): string => `SELECT ${answerNames} FROM ${schema}.append_batch(${marks})`

/** The call for databases where transactions begin at another isolation level. @param schema quoted */
export const batchCallAlone = (schema: string): string =>
  `CALL ${schema}.append_batch_alone(${marks}, ${answerNames.map(() => 'NULL')})`

/** @param schema quoted @param channel the channel for notifications */
export const appendFunctionIn = (schema: string, channel: string): string => `
CREATE OR REPLACE FUNCTION ${schema}.append_batch(
  ${[...declared('', batchParameters), ...declared('OUT ', batchAnswer)].join(', ')}
) LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
DECLARE
  kind_numbers integer[];
  numbers bigint[];
  reserving boolean := false;
  present bigint;
  total bigint := coalesce(cardinality(event_hashes), 0);
  commands_alike boolean := cardinality(commit_commands) = 1;
BEGIN
  ${beginWriting}

  SELECT array_agg(k.number ORDER BY g.i) INTO kind_numbers
  FROM unnest(kind_aggregates, kind_types) WITH ORDINALITY g (aggregate, type, i)
  LEFT JOIN ${schema}.kinds k ON k.aggregate = g.aggregate AND k.type = g.type;
  IF array_position(kind_numbers, NULL) IS NOT NULL THEN
    INSERT INTO ${schema}.kinds (aggregate, type)
    SELECT g.aggregate, g.type FROM unnest(kind_aggregates, kind_types) WITH ORDINALITY g (aggregate, type, i)
    WHERE kind_numbers[g.i] IS NULL ORDER BY g.aggregate COLLATE "C", g.type COLLATE "C"
    ON CONFLICT DO NOTHING;
    SELECT array_agg(k.number ORDER BY g.i) INTO kind_numbers
    FROM unnest(kind_aggregates, kind_types) WITH ORDINALITY g (aggregate, type, i)
    JOIN ${schema}.kinds k ON k.aggregate = g.aggregate AND k.type = g.type;
  END IF;

  IF creates IS NOT NULL THEN
    INSERT INTO ${schema}.streams (aggregate, id)
    SELECT g.aggregate, g.id FROM unnest(aggregates, ids, creates) WITH ORDINALITY g (aggregate, id, creates, i)
    WHERE g.creates AND NOT EXISTS (
      SELECT FROM ${schema}.streams s WHERE s.aggregate = g.aggregate AND s.id = g.id
    )
    ORDER BY g.i
    ON CONFLICT DO NOTHING;
  END IF;
  SELECT array_agg(l.number ORDER BY l.i) INTO numbers FROM (
    SELECT g.i, s.number FROM unnest(aggregates, ids) WITH ORDINALITY g (aggregate, id, i)
    JOIN ${schema}.streams s ON s.aggregate = g.aggregate AND s.id = g.id
    ORDER BY s.number FOR UPDATE OF s
  ) l;
  IF cardinality(numbers) IS DISTINCT FROM cardinality(ids) THEN
    SELECT array_agg(s.number ORDER BY g.i) INTO numbers
    FROM unnest(aggregates, ids) WITH ORDINALITY g (aggregate, id, i)
    LEFT JOIN ${schema}.streams s ON s.aggregate = g.aggregate AND s.id = g.id;
  END IF;

  -- A scan of the index reads a page of entries to return its last one. From the needed sequence on there is only one.
  SELECT array_agg(coalesce((
    SELECT e.sequence FROM ${schema}.events e WHERE e.stream = n.number AND e.sequence >= n.need
    ORDER BY e.sequence DESC LIMIT 1
  ), CASE WHEN n.need > 0 THEN (
    SELECT e.sequence FROM ${schema}.events e WHERE e.stream = n.number ORDER BY e.sequence DESC LIMIT 1
  ) END, 0) ORDER BY n.i) INTO sequences
  FROM unnest(numbers, needed) WITH ORDINALITY n (number, need, i);

  IF EXISTS (SELECT FROM ${schema}.reservations) THEN
    present := ${presentIn};
    DELETE FROM ${schema}.reservations d USING (
      SELECT r.aggregate, r.id FROM ${schema}.reservations r WHERE NOT (${isReservedIn}) FOR UPDATE SKIP LOCKED
    ) o WHERE d.aggregate = o.aggregate AND d.id = o.id;
    reserving := EXISTS (
      SELECT FROM unnest(aggregates, ids) g (aggregate, id)
      JOIN ${schema}.reservations r ON r.aggregate = g.aggregate AND r.id = g.id
    );
  END IF;

  IF careful OR reserving OR EXISTS (
    SELECT FROM unnest(needed, sequences) g (need, sequence)
    WHERE NOT (g.need = g.sequence OR g.need = ${needs.anything} OR (g.need = ${needs.someEvent} AND g.sequence > 0))
  ) OR (repeatable IS NOT NULL AND EXISTS (
    SELECT FROM unnest(repeatable) c (i)
    JOIN ${schema}.events e ON e.stream = numbers[commit_streams[c.i]] AND e.commit_id = commit_ids[c.i]
      AND e.commit_size IS NOT NULL
    WHERE sequences[commit_streams[c.i]] > 0
  )) THEN
    IF commit_expected IS NULL THEN
      SELECT array_agg(needed[commit_streams[i]] + commit_offsets[i] ORDER BY i), array_agg(0)
      INTO commit_expected, commit_same
      FROM generate_series(1, cardinality(commit_streams)) i;
      commit_chains := commit_streams;
    END IF;
    IF commit_sizes IS NULL THEN commit_sizes := array_fill(1, ARRAY[cardinality(commit_streams)]); END IF;
    SELECT * INTO commit_offsets, commit_before, total, outcomes, commands
    FROM ${schema}.judge_commits(aggregates, ids, numbers, sequences, writers, commit_writers, commit_streams,
      commit_chains, commit_expected, commit_ids, commit_sizes, commit_same, reserving);
    IF total = 0 THEN RETURN; END IF;
  END IF;

  PERFORM FROM ${schema}.head FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the table head has no row' USING ERRCODE = 'data_corrupted';
  END IF;
  SELECT coalesce((SELECT e.position FROM ${schema}.events e ORDER BY e.position DESC LIMIT 1), 0) INTO base;
  INSERT INTO ${schema}.events (position, stream, sequence, recorded_at, kind, revision, size, checksum, commit_size,
    commit_checksum, command_digest, commit_id, command, data, metadata, tags)
  SELECT e.position, e.stream, e.sequence, coalesce(commit_times[e.commit], commit_times[1]), kind_numbers[e.kind],
    coalesce(e.revision, event_revisions[1]), e.size,
    e.hash # e.mark,
    CASE e.place WHEN 1 THEN coalesce(commit_sizes[e.commit], 1) END,
    CASE e.place WHEN 1 THEN commit_hashes[e.commit] # e.mark END,
    CASE e.place WHEN 1 THEN nullif(commit_digests[e.commit], ${noDigest}) END,
    commit_ids[e.commit],
    CASE e.place WHEN 1 THEN commit_commands[CASE WHEN commands_alike THEN 1 ELSE e.commit END] END,
    e.data::json, e.metadata::json, e.tags::text[]
  FROM (
    -- OFFSET keeps each of these apart, so that what is used several times is calculated once.
    SELECT p.*, ${placeMarkIn('p.sequence', 'p.position')} AS mark FROM (
      SELECT g.*, base + coalesce(commit_before[g.commit], g.commit - 1) + g.place AS position,
        numbers[commit_streams[g.commit]] AS stream,
        sequences[commit_streams[g.commit]] + commit_offsets[g.commit] + g.place AS sequence
      FROM (
        SELECT coalesce(event_commits[i], i) AS commit, coalesce(event_places[i], 1) AS place,
          coalesce(event_kinds[i], 1) AS kind, event_revisions[i] AS revision, event_sizes[i] AS size,
          event_hashes[i] AS hash, event_data[i] AS data, event_metadata[i] AS metadata, event_tag_lists[i] AS tags
        FROM generate_series(1, cardinality(event_hashes)) i OFFSET 0
      ) g
      WHERE commit_before IS NULL OR commit_before[g.commit] IS NOT NULL OFFSET 0
    ) p OFFSET 0
  ) e;
  IF tags IS NOT NULL THEN
    INSERT INTO ${schema}.event_tags (tag, position)
    SELECT t.tag, base + coalesce(commit_before[t.commit], t.commit - 1) + coalesce(event_places[t.event], 1)
    FROM (
      SELECT u.tag, u.event, coalesce(event_commits[u.event], u.event) AS commit
      FROM unnest(tag_events, tags) u (event, tag) OFFSET 0
    ) t
    WHERE commit_before IS NULL OR commit_before[t.commit] IS NOT NULL;
  END IF;
  IF reserving THEN
    DELETE FROM ${schema}.reservations d USING (
      SELECT r.aggregate, r.id FROM unnest(commit_streams, commit_before) WITH ORDINALITY c (stream, before, i)
      JOIN ${schema}.reservations r ON r.aggregate = aggregates[c.stream] AND r.id = ids[c.stream]
        AND r.writer = writers[coalesce(commit_writers[c.i], 1)]
      WHERE c.before IS NOT NULL FOR UPDATE OF r SKIP LOCKED
    ) o WHERE d.aggregate = o.aggregate AND d.id = o.id;
  END IF;
  IF notifies THEN PERFORM pg_notify('${channel}', (base + total)::text); END IF;
END $mneme$;
`

/**
 * The same function for databases where transactions begin at another isolation level. A call is still one message and
 * one transaction. A client that stops between two messages therefore cannot keep the head locked.
 *
 * @param schema quoted
 */
export const appendProcedureIn = (schema: string): string => `
CREATE PROCEDURE ${schema}.append_batch_alone(
  ${[...declared('', batchParameters), ...declared('INOUT ', batchAnswer)].join(', ')}
) LANGUAGE plpgsql AS $mneme$
BEGIN
  COMMIT;
  SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
  SELECT ${answerNames.map((name) => `a.${name}`)} INTO ${answerNames}
  FROM ${schema}.append_batch(${batchParameterNames}) a;
END $mneme$;
`

/**
 * Judges the commits of a batch one by one, on what the locks of the streams protect, not on what the batch assumed. If
 * a commit is not stored, its `offsets` and `before` are null. A chain is the commits of one caller on one stream. Once
 * one of them is not stored, later ones that expect an exact sequence are not stored either.
 *
 * @param schema quoted
 */
export const judgeFunctionIn = (schema: string): string => `
CREATE FUNCTION ${schema}.judge_commits(
  aggregates text[],
  ids text[],
  numbers bigint[],
  sequences bigint[],
  writers text[],
  commit_writers integer[],
  commit_streams integer[],
  commit_chains integer[],
  commit_expected bigint[],
  commit_ids text[],
  commit_sizes integer[],
  commit_same integer[],
  reserving boolean,
  OUT offsets bigint[],
  OUT before bigint[],
  OUT total bigint,
  OUT outcomes bigint[],
  OUT commands json
) LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
DECLARE
  count integer := cardinality(commit_streams);
  lasts bigint[] := sequences;
  broken boolean[] := array_fill(false, ARRAY[count]);
  statuses integer[] := array_fill(NULL::integer, ARRAY[count]);
  present bigint := ${presentIn};
  at integer;
  s integer;
  expected bigint;
  status integer;
  stored record;
  names text[] := array_fill(NULL::text, ARRAY[count]);
BEGIN
  offsets := array_fill(NULL::bigint, ARRAY[count]);
  before := array_fill(NULL::bigint, ARRAY[count]);
  outcomes := array_fill(0::bigint, ARRAY[${outcomeWidth} * count]);
  total := 0;
  FOR c IN 1 .. count LOOP
    s := commit_streams[c];
    at := ${outcomeWidth} * (c - 1) + 1;
    expected := commit_expected[c];
    IF commit_same[c] > 0 AND statuses[commit_same[c]] NOT IN (${outcome.conflict}, ${outcome.reserved}) THEN
      status := ${outcome.duplicateInBatch};
    ELSE
      SELECT e.sequence, e.position, e.commit_size, e.commit_checksum, e.command, e.command_digest, (
        SELECT l.checksum FROM ${schema}.events l WHERE l.position = e.position + e.commit_size - 1
      ) AS last_checksum INTO stored FROM ${schema}.events e
      WHERE e.stream = numbers[s] AND e.commit_id = commit_ids[c] AND e.commit_size IS NOT NULL;
      IF FOUND THEN
        status := ${outcome.duplicate};
      ELSIF reserving AND EXISTS (
        SELECT FROM ${schema}.reservations r WHERE r.aggregate = aggregates[s] AND r.id = ids[s]
        AND r.writer IS DISTINCT FROM writers[coalesce(commit_writers[c], 1)] AND ${isReservedIn}
      ) THEN
        status := ${outcome.reserved};
      ELSE
        status := CASE
          WHEN expected = ${expectations.any} THEN ${outcome.stored}
          WHEN expected = ${expectations.none} AND lasts[s] = 0 THEN ${outcome.stored}
          WHEN expected = ${expectations.exists} AND lasts[s] > 0 THEN ${outcome.stored}
          WHEN expected = lasts[s] AND NOT broken[commit_chains[c]] THEN ${outcome.stored}
          ELSE ${outcome.conflict} END;
      END IF;
    END IF;
    statuses[c] := status;
    outcomes[at] := status;
    IF status = ${outcome.stored} THEN
      offsets[c] := lasts[s] - sequences[s];
      before[c] := total;
      lasts[s] := lasts[s] + commit_sizes[c];
      total := total + commit_sizes[c];
      outcomes[at + 1] := lasts[s];
      outcomes[at + 2] := total;
      outcomes[at + 3] := commit_sizes[c];
    ELSE
      broken[commit_chains[c]] := true;
      IF status IN (${outcome.conflict}, ${outcome.reserved}) THEN
        outcomes[at + 1] := lasts[s];
      ELSIF status = ${outcome.duplicate} THEN
        outcomes[at + 1] := stored.sequence + stored.commit_size - 1;
        outcomes[at + 2] := stored.position + stored.commit_size - 1;
        outcomes[at + 3] := stored.commit_size;
        outcomes[at + 4] := coalesce(stored.last_checksum, 0);
        outcomes[at + 5] := coalesce(stored.commit_checksum, 0);
        outcomes[at + 6] := coalesce(stored.command_digest, ${noDigest});
        names[c] := stored.command;
      END IF;
    END IF;
  END LOOP;
  commands := array_to_json(names);
END $mneme$;
`
