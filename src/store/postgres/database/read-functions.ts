/**
 * The functions that read the log. Each returns one row for a whole page. A column of events becomes one text, an array
 * or a list in JSON, which costs the server and the driver much less than a row for each event. A page ends when its
 * data has `$4` characters, so that no answer is larger than a text can be.
 *
 * They are functions because of their plans. A plan is made once for each session, not with every call, which would
 * take several times as long as reading a few events. The plans are pinned, because a plan that was made when the
 * tables were small is still used when they are large.
 *
 * The first parameters are always the same: `$1` and `$2` the bounds, `$3` the number of events, `$4` the characters,
 * `$5` a position whose checksum is wanted too (0: none).
 *
 * A page also says what should be there: where the log or the stream ends, how much was looked at, and which places the
 * indexes have named. So its reader can see that no row is missing.
 */
import { noDigest } from './append-function.ts'
import { beginWriting } from './writing.ts'

const range = ['bigint', 'bigint', 'bigint', 'bigint', 'bigint']

/** The searches, with the parameters of each after the first five. */
const parametersOf = {
  /** The events of one stream: its aggregate and id. */
  stream: ['text', 'text'],
  any: [],
  /** By types, aggregates and tags (null: all), among a number of places from the start of the range. */
  near: ['text[]', 'text[]', 'text[]', 'bigint'],
  /** By types and aggregates. */
  kinds: ['text[]', 'text[]'],
  tag: ['text'],
  /** By types, aggregates and tags, for which several indexes have to agree. */
  agreed: ['text[]', 'text[]', 'text[]'],
} as const

export type Search = keyof typeof parametersOf

export const searches: readonly Search[] = Object.keys(parametersOf) as Search[]

const nameOf = (search: Search, backward: boolean): string => `read_${search}${backward ? '_backward' : ''}`

/** The types of all parameters. */
const parametersIn = (search: Search): readonly string[] => [...range, ...parametersOf[search]]

/** The call that returns a page. @param schema quoted */
export function pageCall(schema: string, search: Search, backward: boolean): string {
  const parameters = parametersIn(search).map((_, i) => `$${i + 1}`)
  return `SELECT * FROM ${schema}.${nameOf(search, backward)}(${parameters})`
}

/**
 * The functions of a schema.
 *
 * @param schema quoted
 * @param pinnedPlans the settings of each function that pin its plans
 */
export function readFunctionsIn(schema: string, pinnedPlans: string): string {
  const functions = [agreedFunctionIn(schema, pinnedPlans), durableCommitFunctionIn(schema, pinnedPlans)]
  for (const search of searches) {
    for (const backward of [false, true]) functions.push(pageFunctionIn(schema, search, backward, pinnedPlans))
  }
  return functions.join('')
}

/** The columns of a page, in order. */
const pageColumns = {
  /** The number of events that were found; more than are in the page if not all fit. */
  page_found: 'bigint',
  /** The greatest number of events that were looked for. */
  page_wanted: 'bigint',
  /** The place to continue from, if it ended before it had looked at everything; otherwise null. */
  page_next: 'bigint',
  /** The end of the log, or of the stream. */
  page_last: 'bigint',
  /** The number of events in the part of the range that was looked at; null if that was not counted. */
  page_looked: 'bigint',
  /** The checksum of the last place of the range. */
  page_end: 'integer',
  /** The checksum at the position that was asked for. */
  page_behind: 'integer',
  page_positions: 'bigint[]',
  page_sequences: 'bigint[]',
  page_kinds: 'integer[]',
  page_revisions: 'bigint[]',
  page_times: 'bigint[]',
  page_checksums: 'integer[]',
  page_commit_ids: 'json',
  page_ids: 'json',
  page_data: 'text',
  page_metadata: 'text',
  page_tags: 'text',
} as const

/** The variables of a function, and the statement that fills them before the page is read. */
function beginningOf(schema: string, search: Search, backward: boolean): { declared: string; done: string } {
  if (search === 'stream' || search === 'any' || search === 'tag') return { declared: '', done: '' }
  const kinds = `kinds integer[] := ARRAY(SELECT k.number FROM ${schema}.kinds k
    WHERE ($6 IS NULL OR k.type = ANY ($6)) AND ($7 IS NULL OR k.aggregate = ANY ($7)));`
  if (search === 'near') return { declared: kinds, done: '' }
  // Each kind may have all the wanted places, so each is asked for as many. Many kinds share a limit.
  if (search === 'kinds') {
    const some = `greatest(${kindPlacesMax} / greatest(cardinality(kinds), 1), 1)`
    return { declared: `${kinds} wanted bigint := least($3, ${some});`, done: '' }
  }
  return {
    declared: `${kinds} agreed bigint[]; next_place bigint;`,
    done: `SELECT a.places, a.next_place INTO agreed, next_place FROM ${schema}.agreed_places(
      $8, CASE WHEN $6 IS NOT NULL OR $7 IS NOT NULL THEN kinds END, $1, $2, $3, ${backward}) a;`,
  }
}

const pageFunctionIn = (schema: string, search: Search, backward: boolean, pinnedPlans: string): string => {
  const { declared, done } = beginningOf(schema, search, backward)
  return `
CREATE FUNCTION ${schema}.${nameOf(search, backward)}(${parametersIn(search)})
RETURNS TABLE (${Object.entries(pageColumns).map(([name, type]) => `${name} ${type}`)})
LANGUAGE plpgsql STABLE ${pinnedPlans} SET enable_bitmapscan = off SET enable_sort = off AS $mneme$
DECLARE
  ${declared}
BEGIN
  ${done}
  RETURN QUERY ${pageStatement(schema, search, backward)};
END $mneme$;
`
}

/** The greatest number of entries of the index over kinds that are read for a page, apart from one for each kind. */
const kindPlacesMax = 20_000
/** The greatest number of places passed over by an index that are counted. */
const countedMax = 5_000
/**
 * The greatest number of entries that are read to find where indexes agree, before the function returns how far it is.
 */
const agreeingStepsMax = 10_000

const columns =
  'e.position, e.stream, e.sequence, e.kind, e.revision, e.recorded_at, e.checksum, e.commit_id, e.size, e.data, e.metadata, e.tags'

/** The last position. It reads one entry of the index, however long the log is. */
export const headIn = (schema: string): string =>
  `coalesce((SELECT h.position FROM ${schema}.events h ORDER BY h.position DESC LIMIT 1), 0)`

/** The checksum of the event at a position; null if there is none. */
export const checksumIn = (schema: string, position: string): string =>
  `SELECT c.checksum FROM ${schema}.events c WHERE c.position = ${position}`

/** What is stored of a commit, as a `ReceiptRow`. */
export const commitIn = (schema: string, aggregate: string, id: string, commitId: string, lock: string = ''): string =>
  `SELECT e.sequence + e.commit_size - 1, e.position + e.commit_size - 1, e.commit_size, coalesce((
      ${checksumIn(schema, 'e.position + e.commit_size - 1')}
    ), 0), coalesce(e.commit_checksum, 0), coalesce(e.command_digest, ${noDigest}), e.command
    FROM ${schema}.events e
    WHERE e.stream = (SELECT s.number FROM ${schema}.streams s WHERE s.aggregate = ${aggregate} AND s.id = ${id} ${lock})
    AND e.commit_id = ${commitId} AND e.commit_size IS NOT NULL`

/** A transaction that has locked a row has to be committed, after all transactions before it. */
const durableCommitFunctionIn = (schema: string, pinnedPlans: string): string => `
CREATE FUNCTION ${schema}.durable_commit(durable boolean, lock_wait text, of_aggregate text, of_id text, of_commit text)
RETURNS TABLE (
  last_sequence bigint, last_position bigint, event_count integer, last_checksum integer, own_checksum integer,
  own_digest bigint, own_command text
) LANGUAGE plpgsql ${pinnedPlans} AS $mneme$
BEGIN
  ${beginWriting}
  RETURN QUERY ${commitIn(schema, 'of_aggregate', 'of_id', 'of_commit', 'FOR SHARE')};
END $mneme$;
`

/**
 * The statement of a function. None of its own columns has the name of a column of a table, because that would be
 * ambiguous.
 */
function pageStatement(schema: string, search: Search, backward: boolean): string {
  const ofStream = search === 'stream'
  const place = ofStream ? 'sequence' : 'position'
  // Data is fetched and unpacked only for events of the page. Until then it is passed on as it is in the table.
  return `SELECT a.found, ${wantedIn(search)}, ${search === 'agreed' ? 'next_place' : 'NULL::bigint'}, a.last,
    ${lookedIn(schema, search, backward)},
    ${ofStream ? 'NULL::integer' : endIn(schema, backward)},
    ${ofStream ? 'NULL::integer' : `CASE WHEN $5 > 0 THEN (${checksumIn(schema, '$5')}) END`},
    a.positions, a.sequences, a.kinds, a.revisions, a.times, a.checksums, a.commit_ids, a.ids, a.data, a.metadata, a.tags
  FROM (
    SELECT coalesce(max(matching), 0) AS found, count(*) AS given, ${ofStream ? lastIn(schema) : headIn(schema)} AS last,
      ${backward ? 'min' : 'max'}(position) AS final,
      array_agg(position) AS positions, array_agg(sequence) AS sequences, array_agg(kind) AS kinds,
      array_agg(revision) AS revisions, array_agg(recorded_at) AS times, array_agg(checksum) AS checksums,
      json_agg(commit_id) AS commit_ids,
      ${ofStream ? 'NULL::json' : `json_agg((SELECT s.id FROM ${schema}.streams s WHERE s.number = stream))`} AS ids,
      string_agg(data::text, E',\n') AS data,
      CASE WHEN count(metadata) > 0 THEN string_agg(coalesce(metadata::text, '0'), E',\n') END AS metadata,
      CASE WHEN count(tags) > 0 THEN string_agg(coalesce(to_json(tags)::text, '0'), ',') END AS tags
    FROM (
      SELECT *, count(*) OVER () AS matching,
        coalesce(sum(size) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS characters_before
      FROM (
        SELECT ${columns} FROM (${searchStatement(schema, search, backward)}) e
        ORDER BY e.${place} ${backward ? 'DESC' : 'ASC'}
      ) ordered
    ) sized
    WHERE characters_before < $4
  ) a`
}

/** The last sequence of the stream. */
const lastIn = (schema: string): string => `coalesce((SELECT l.sequence FROM ${schema}.events l
  WHERE l.stream = (SELECT s.number FROM ${schema}.streams s WHERE s.aggregate = $6 AND s.id = $7)
  ORDER BY l.sequence DESC LIMIT 1), 0)`

/** The checksum of the last place that a read of the whole range examines. */
const endIn = (schema: string, backward: boolean): string =>
  `(${checksumIn(schema, backward ? '$1' : 'least($2 - 1, a.last)')})`

/**
 * If every place has a wanted event, nothing is counted. If an index leads over many places at once, they are not
 * counted either, because that would cost what the index saves.
 */
function lookedIn(schema: string, search: Search, backward: boolean): string {
  if (search === 'stream' || search === 'any') return 'NULL::bigint'
  const isCut = `a.given < a.found OR a.found >= ${wantedIn(search)}`
  const end = 'least($2, a.last + 1)'
  const rest = {
    near: backward ? `greatest($1, ${end} - $9)` : `least(${end}, $1 + $9)`,
    agreed: backward ? 'coalesce(next_place + 1, $1)' : `coalesce(next_place, ${end})`,
  }
  const unlimited = search === 'near' || search === 'agreed' ? rest[search] : backward ? '$1' : end
  const cut = backward ? 'a.final' : 'a.final + 1'
  const reached = `CASE WHEN ${isCut} THEN ${cut} ELSE ${unlimited} END`
  const [low, high] = backward ? [reached, end] : ['$1', reached]
  const isCounted = search === 'near' ? '' : `WHEN ${high} - ${low} > ${countedMax} THEN NULL`
  return `CASE WHEN a.given = ${high} - ${low} THEN a.given ${isCounted} ELSE (
      SELECT count(*) FROM ${schema}.events n WHERE n.position >= ${low} AND n.position < ${high}
    ) END`
}

/** The number of events that a function looks for: the wanted number, unless the search has a bound of its own. */
const wantedIn = (search: Search): string => (search === 'kinds' ? 'wanted' : '$3')

/**
 * Rows of the log, in order, and no more than wanted. For a place that an index names but that is missing, only the
 * position.
 */
function searchStatement(schema: string, search: Search, backward: boolean): string {
  const way = backward ? 'DESC' : 'ASC'
  const inRange = (name: string) => `${name}.position >= $1 AND ${name}.position < $2`
  // The limit makes the planner join one by one, by the key, whatever it assumes about the tables.
  const at = (positions: string) => `SELECT p.position, ${columns.replace('e.position, ', '')} FROM (${positions}) p
    LEFT JOIN LATERAL (SELECT * FROM ${schema}.events o WHERE o.position = p.position LIMIT 1) e ON true`
  switch (search) {
    case 'stream':
      return `SELECT ${columns} FROM ${schema}.events e
        WHERE e.stream = (SELECT s.number FROM ${schema}.streams s WHERE s.aggregate = $6 AND s.id = $7)
        AND ${densely('e.sequence', '$3', lastIn(schema), backward)}
        ORDER BY e.sequence ${way} LIMIT $3`
    case 'any':
      return `SELECT ${columns} FROM ${schema}.events e WHERE ${densely('e.position', '$3', headIn(schema), backward)}
        ORDER BY e.position ${way} LIMIT $3`
    case 'near': {
      const bounds = densely('e.position', '$9', headIn(schema), backward)
      // The sum keeps the planner from using the index over kinds, which does not return them in order.
      return `SELECT ${columns} FROM ${schema}.events e WHERE ${bounds} AND e.kind + 0 = ANY (kinds)
        AND ($8 IS NULL OR e.tags @> $8) ORDER BY e.position ${way} LIMIT $3`
    }
    case 'kinds':
      return at(`SELECT f.position FROM unnest(kinds) k (number) CROSS JOIN LATERAL (
          SELECT i.position FROM ${schema}.events i WHERE i.kind = k.number AND ${inRange('i')}
          ORDER BY i.position ${way} LIMIT wanted
        ) f ORDER BY f.position ${way} LIMIT wanted`)
    case 'tag':
      return at(`SELECT t.position FROM ${schema}.event_tags t WHERE t.tag = $6 AND ${inRange('t')}
        ORDER BY t.position ${way} LIMIT $3`)
    case 'agreed':
      return at('SELECT u.position FROM unnest(agreed) u (position)')
  }
}

/**
 * At most `count` places from the start of the range. Places have no gaps, so this leaves out nothing within a limit.
 * It keeps a planner that knows nothing of the table yet from sorting everything after the range.
 */
function densely(place: string, count: string, last: string, backward: boolean): string {
  const end = `least($2, ${last} + 1)`
  return backward
    ? `${place} >= greatest($1, ${end} - ${count}) AND ${place} < ${end}`
    : `${place} >= $1 AND ${place} < least($2, $1 + ${count})`
}

/**
 * The function that finds the places on which several indexes agree. Each index in turn moves the candidate to its own
 * next position, so the rarest sets the pace. The cost is the number of entries it looks at, not the length of the log.
 * If the indexes hardly ever agree, it ends after a number of looks and returns the place to continue from.
 */
const agreedFunctionIn = (schema: string, pinnedPlans: string): string => `
CREATE FUNCTION ${schema}.agreed_places(
  wanted_tags text[], wanted_kinds integer[], low bigint, high bigint, count bigint, backward boolean,
  OUT places bigint[], OUT next_place bigint
) LANGUAGE plpgsql STABLE ${pinnedPlans} AS $mneme$
DECLARE
  candidate bigint := CASE WHEN backward THEN high - 1 ELSE low END;
  agreeing integer := 0;
  lists integer := coalesce(cardinality(wanted_tags), 0) + CASE WHEN wanted_kinds IS NULL THEN 0 ELSE 1 END;
  list integer := 0;
  looks integer := 0;
  given bigint := 0;
  found_at bigint;
BEGIN
  places := '{}';
  WHILE given < count AND candidate >= low AND candidate < high LOOP
    list := list % lists + 1;
    IF list > coalesce(cardinality(wanted_tags), 0) THEN
      looks := looks + cardinality(wanted_kinds);
      IF backward THEN
        SELECT max(f.position) INTO found_at FROM unnest(wanted_kinds) k (number) CROSS JOIN LATERAL (
          SELECT e.position FROM ${schema}.events e WHERE e.kind = k.number AND e.position <= candidate
          ORDER BY e.position DESC LIMIT 1
        ) f;
      ELSE
        SELECT min(f.position) INTO found_at FROM unnest(wanted_kinds) k (number) CROSS JOIN LATERAL (
          SELECT e.position FROM ${schema}.events e WHERE e.kind = k.number AND e.position >= candidate
          ORDER BY e.position LIMIT 1
        ) f;
      END IF;
    ELSE
      looks := looks + 1;
      IF backward THEN
        SELECT t.position INTO found_at FROM ${schema}.event_tags t
        WHERE t.tag = wanted_tags[list] AND t.position <= candidate ORDER BY t.position DESC LIMIT 1;
      ELSE
        SELECT t.position INTO found_at FROM ${schema}.event_tags t
        WHERE t.tag = wanted_tags[list] AND t.position >= candidate ORDER BY t.position LIMIT 1;
      END IF;
    END IF;
    EXIT WHEN found_at IS NULL OR found_at < low OR found_at >= high;
    IF found_at = candidate THEN
      agreeing := agreeing + 1;
    ELSE
      candidate := found_at;
      agreeing := 1;
    END IF;
    IF agreeing = lists THEN
      places := places || candidate;
      given := given + 1;
      agreeing := 0;
      candidate := candidate + CASE WHEN backward THEN -1 ELSE 1 END;
    END IF;
    IF looks >= ${agreeingStepsMax} AND given < count AND candidate >= low AND candidate < high THEN
      next_place := candidate;
      EXIT;
    END IF;
  END LOOP;
END $mneme$;
`
