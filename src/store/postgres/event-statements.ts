/**
 * The statements that read the log. Each gives one row for a whole page: a column of events becomes one text, an array or a list
 * in JSON, which costs the server and the driver a fraction of a row for each event. A page ends where its data has become
 * as large as `$4` characters, so that no answer grows beyond what a text can hold.
 *
 * The first parameters are always the same: `$1` and `$2` the bounds, `$3` the number of events, `$4` the characters.
 */

/** Which events a statement looks for. */
export type Search = 'stream' | 'any' | 'near' | 'kinds' | 'tag' | 'agreed'

const columns =
  'e.position, e.stream, e.sequence, e.kind, e.revision, e.recorded_at, e.commit_id, e.data, e.metadata, e.tags'

/** The statements for a schema. @param schema quoted */
export function eventStatements(schema: string): {
  readonly page: (search: Search, backward: boolean) => string
  readonly head: string
  readonly commit: string
  readonly kinds: string
} {
  const pages = new Map<string, string>()
  for (const search of ['stream', 'any', 'near', 'kinds', 'tag', 'agreed'] as const) {
    for (const backward of [false, true]) pages.set(`${search} ${backward}`, pageStatement(schema, search, backward))
  }
  return {
    page: (search, backward) => pages.get(`${search} ${backward}`)!,
    head: `SELECT ${headIn(schema)}`,
    commit: `SELECT e.sequence, e.position, e.commit_size FROM ${schema}.events e
      WHERE e.stream = (SELECT s.number FROM ${schema}.streams s WHERE s.aggregate = $1 AND s.id = $2)
      AND e.commit_id = $3 AND e.commit_size IS NOT NULL`,
    kinds: `SELECT k.number, k.aggregate, k.type FROM ${schema}.kinds k`,
  }
}

/** The last position. An entry of the index, however long the log. */
const headIn = (schema: string): string =>
  `coalesce((SELECT h.position FROM ${schema}.events h ORDER BY h.position DESC LIMIT 1), 0)`

function pageStatement(schema: string, search: Search, backward: boolean): string {
  const ofStream = search === 'stream'
  return `SELECT max(found), ${ofStream ? '0' : headIn(schema)}, array_agg(position), array_agg(sequence), array_agg(kind),
    array_agg(revision), array_agg(recorded_at), json_agg(commit_id), ${ofStream ? 'NULL' : 'json_agg(id)'},
    string_agg(data, ','),
    CASE WHEN count(metadata) > 0 THEN string_agg(coalesce(metadata::text, '0'), ',') END,
    CASE WHEN count(tags) > 0 THEN string_agg(coalesce(to_json(tags)::text, '0'), ',') END
  FROM (
    SELECT *, count(*) OVER () AS found,
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
      return `SELECT ${columns} FROM ${schema}.events e WHERE ${bounds} AND e.kind = ANY (${kinds})
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
 *
 * @param schema quoted
 */
export const agreedFunctionIn = (schema: string, pinnedPlans: string): string => `
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
