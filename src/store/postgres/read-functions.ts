/**
 * The functions that read the log. Each gives one row for a whole page: a column of events becomes one text, an array or a list
 * in JSON, which costs the server and the driver a fraction of a row for each event. A page ends where its data has become
 * as large as `$4` characters, so that no answer grows beyond what a text can hold.
 *
 * They are functions for the sake of their plans: these are made once a session, not with every call, which would take several times as
 * long as reading a few events does; and they are pinned, so one that was made when the tables were small is used when they are large.
 *
 * The first parameters are always the same: `$1` and `$2` the bounds, `$3` the number of events, `$4` the characters.
 */

const range = ['bigint', 'bigint', 'bigint', 'bigint']

/** Which events a function looks for, and what it takes behind the first four parameters. */
const parametersOf = {
  /** One stream's: its aggregate and id. */
  stream: ['text', 'text'],
  any: [],
  /** By types, aggregates and tags (null: all), among so many places from where the range begins. */
  near: ['text[]', 'text[]', 'text[]', 'bigint'],
  /** By types and aggregates. */
  kinds: ['text[]', 'text[]'],
  tag: ['text'],
  /** By types, aggregates and tags, of which there are several indexes to agree. */
  agreed: ['text[]', 'text[]', 'text[]'],
} as const

export type Search = keyof typeof parametersOf

export const searches: readonly Search[] = Object.keys(parametersOf) as Search[]

const nameOf = (search: Search, backward: boolean): string => `read_${search}${backward ? '_backward' : ''}`

/** The types of all parameters. */
const parametersIn = (search: Search): readonly string[] => [...range, ...parametersOf[search]]

/** The call that gives a page. @param schema quoted */
export function pageCall(schema: string, search: Search, backward: boolean): string {
  const parameters = parametersIn(search).map((_, i) => `$${i + 1}`)
  return `SELECT * FROM ${schema}.${nameOf(search, backward)}(${parameters})`
}

/**
 * The functions of a schema.
 *
 * @param schema quoted
 * @param pinnedPlans what is said before each, so that its plans are pinned
 */
export function readFunctionsIn(schema: string, pinnedPlans: string): string {
  const functions = [agreedFunctionIn(schema, pinnedPlans)]
  for (const search of searches) {
    for (const backward of [false, true]) functions.push(pageFunctionIn(schema, search, backward, pinnedPlans))
  }
  return functions.join('')
}

const pageFunctionIn = (schema: string, search: Search, backward: boolean, pinnedPlans: string): string => `
CREATE FUNCTION ${schema}.${nameOf(search, backward)}(${parametersIn(search)})
RETURNS TABLE (
  page_found bigint, page_head bigint, page_positions bigint[], page_sequences bigint[], page_kinds integer[],
  page_revisions bigint[], page_times bigint[], page_commit_ids json, page_ids json, page_data text, page_metadata text,
  page_tags text
) LANGUAGE plpgsql STABLE ${pinnedPlans} SET enable_bitmapscan = off SET enable_sort = off AS $mneme$
BEGIN
  RETURN QUERY ${pageStatement(schema, search, backward)};
END $mneme$;
`

const columns =
  'e.position, e.stream, e.sequence, e.kind, e.revision, e.recorded_at, e.commit_id, e.data, e.metadata, e.tags'

/** The last position. An entry of the index, however long the log. */
export const headIn = (schema: string): string =>
  `coalesce((SELECT h.position FROM ${schema}.events h ORDER BY h.position DESC LIMIT 1), 0)`

/** What a function does. Of its own columns none is called like a table's: that would be ambiguous. */
function pageStatement(schema: string, search: Search, backward: boolean): string {
  const ofStream = search === 'stream'
  return `SELECT max(matching), ${ofStream ? '0::bigint' : headIn(schema)}, array_agg(position), array_agg(sequence), array_agg(kind),
    array_agg(revision), array_agg(recorded_at), json_agg(commit_id), ${ofStream ? 'NULL::json' : 'json_agg(id)'},
    string_agg(data, ','),
    CASE WHEN count(metadata) > 0 THEN string_agg(coalesce(metadata::text, '0'), ',') END,
    CASE WHEN count(tags) > 0 THEN string_agg(coalesce(to_json(tags)::text, '0'), ',') END
  FROM (
    SELECT *, count(*) OVER () AS matching,
      sum(octet_length(data)) OVER (ROWS UNBOUNDED PRECEDING) - octet_length(data) AS characters_before
    FROM (
      SELECT e.position, e.sequence, e.kind, e.revision, e.recorded_at, e.commit_id, e.data::text AS data, e.metadata, e.tags
        ${ofStream ? '' : `, (SELECT s.id FROM ${schema}.streams s WHERE s.number = e.stream) AS id`}
      FROM (${searchStatement(schema, search, backward)}) e
      ORDER BY e.${ofStream ? 'sequence' : 'position'} ${backward ? 'DESC' : 'ASC'}
    ) ordered
  ) sized
  WHERE characters_before < $4::bigint`
}

/** Rows of the log, in order and no more than wanted. */
function searchStatement(schema: string, search: Search, backward: boolean): string {
  const way = backward ? 'DESC' : 'ASC'
  const inRange = (name: string) => `${name}.position >= $1::bigint AND ${name}.position < $2::bigint`
  const kinds = `ARRAY(SELECT k.number FROM ${schema}.kinds k
    WHERE ($5::text[] IS NULL OR k.type = ANY ($5::text[])) AND ($6::text[] IS NULL OR k.aggregate = ANY ($6::text[])))`
  // The limit keeps the planner from joining otherwise than one by one, by the key, whatever it takes the tables for.
  const at = (positions: string) => `SELECT ${columns} FROM (${positions}) p CROSS JOIN LATERAL (
      SELECT * FROM ${schema}.events o WHERE o.position = p.position LIMIT 1
    ) e`
  switch (search) {
    case 'stream': {
      const stream = `(SELECT s.number FROM ${schema}.streams s WHERE s.aggregate = $5 AND s.id = $6)`
      const last = `coalesce((SELECT l.sequence FROM ${schema}.events l WHERE l.stream = ${stream}
        ORDER BY l.sequence DESC LIMIT 1), 0)`
      return `SELECT ${columns} FROM ${schema}.events e
        WHERE e.stream = ${stream} AND ${densely('e.sequence', '$3', last, backward)}
        ORDER BY e.sequence ${way} LIMIT $3::bigint`
    }
    case 'any':
      return `SELECT ${columns} FROM ${schema}.events e WHERE ${densely('e.position', '$3', headIn(schema), backward)}
        ORDER BY e.position ${way} LIMIT $3::bigint`
    case 'near': {
      const bounds = densely('e.position', '$8', headIn(schema), backward)
      // The sum keeps the planner from going by the index over kinds, which does not give them in order.
      return `SELECT ${columns} FROM ${schema}.events e WHERE ${bounds} AND e.kind + 0 = ANY (${kinds})
        AND ($7::text[] IS NULL OR e.tags @> $7::text[]) ORDER BY e.position ${way} LIMIT $3::bigint`
    }
    case 'kinds':
      return at(`SELECT f.position FROM unnest(${kinds}) k (number) CROSS JOIN LATERAL (
          SELECT i.position FROM ${schema}.events i WHERE i.kind = k.number AND ${inRange('i')}
          ORDER BY i.position ${way} LIMIT $3::bigint
        ) f ORDER BY f.position ${way} LIMIT $3::bigint`)
    case 'tag':
      return at(`SELECT t.position FROM ${schema}.event_tags t WHERE t.tag = $5::text AND ${inRange('t')}
        ORDER BY t.position ${way} LIMIT $3::bigint`)
    case 'agreed':
      return at(`SELECT a.position FROM ${schema}.agreed_positions($7::text[],
        CASE WHEN $5::text[] IS NOT NULL OR $6::text[] IS NOT NULL THEN ${kinds} END,
        $1::bigint, $2::bigint, $3::bigint, ${backward}) a (position)`)
  }
}

/**
 * At most so many places from where the range begins. There are no gaps in them, so this leaves out nothing that a limit would
 * give; but a planner that knows nothing of the table yet cannot take it for a wish to sort all that lies behind.
 */
function densely(place: string, count: string, last: string, backward: boolean): string {
  const end = `least($2::bigint, ${last} + 1)`
  return backward
    ? `${place} >= greatest($1::bigint, ${end} - ${count}::bigint) AND ${place} < ${end}`
    : `${place} >= $1::bigint AND ${place} < least($2::bigint, $1::bigint + ${count}::bigint)`
}

/**
 * The function that finds what several indexes agree on: each list in turn pushes the candidate on to its own next position, so
 * the rarest of them sets the pace, and the cost is what is looked at, never the log.
 */
const agreedFunctionIn = (schema: string, pinnedPlans: string): string => `
CREATE FUNCTION ${schema}.agreed_positions(
  wanted_tags text[], wanted_kinds integer[], low bigint, high bigint, count bigint, backward boolean
) RETURNS SETOF bigint LANGUAGE plpgsql STABLE ${pinnedPlans} AS $mneme$
DECLARE
  candidate bigint := CASE WHEN backward THEN high - 1 ELSE low END;
  agreeing integer := 0;
  lists integer := coalesce(cardinality(wanted_tags), 0) + CASE WHEN wanted_kinds IS NULL THEN 0 ELSE 1 END;
  list integer := 0;
  given bigint := 0;
  found_at bigint;
BEGIN
  WHILE given < count AND candidate >= low AND candidate < high LOOP
    list := list % lists + 1;
    IF list > coalesce(cardinality(wanted_tags), 0) THEN
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
    ELSIF backward THEN
      SELECT t.position INTO found_at FROM ${schema}.event_tags t
      WHERE t.tag = wanted_tags[list] AND t.position <= candidate ORDER BY t.position DESC LIMIT 1;
    ELSE
      SELECT t.position INTO found_at FROM ${schema}.event_tags t
      WHERE t.tag = wanted_tags[list] AND t.position >= candidate ORDER BY t.position LIMIT 1;
    END IF;
    EXIT WHEN found_at IS NULL OR found_at < low OR found_at >= high;
    IF found_at = candidate THEN
      agreeing := agreeing + 1;
    ELSE
      candidate := found_at;
      agreeing := 1;
    END IF;
    IF agreeing = lists THEN
      RETURN NEXT candidate;
      given := given + 1;
      agreeing := 0;
      candidate := candidate + CASE WHEN backward THEN -1 ELSE 1 END;
    END IF;
  END LOOP;
END $mneme$;
`
