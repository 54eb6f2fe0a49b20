/**
 * The tables, for people as well as for the store: `SELECT * FROM mneme.event_log` reads like the log.
 *
 * - A stream has a number, and so has a pair of aggregate and event type (a kind), so that a row of the log is small. A
 *   number is never changed or removed, so readers may keep it.
 * - No row that counts a stream or the log is updated by every append: the last entry of an index says how long they
 *   are. `streams` and `head` are locked, not written. Old versions of rows therefore do not pile up there, however
 *   long another program's transaction prevents their cleaning up.
 * - `commit_size`, `commit_checksum` and the command are set only on the first event of a commit. The partial index
 *   over these rows makes a commit id unique in its stream, costs one entry for each commit, and finds the whole
 *   commit. The id comes before the stream. Ids made by the library begin with the time, so the entries of a batch are
 *   side by side at the end of the index. Behind the stream, each would be on another page.
 * - `checksum` is of the event, `commit_checksum` of what else is stored of its commit (`checksum.ts`). `size` is
 *   roughly the number of characters that are read with an event, so its data need not be fetched to know that.
 * - JSON is in columns of the type `json`, which keep the text unchanged: the order of keys, every number, `\u0000`.
 *   Empty metadata and tags are null.
 * - Every text that is compared or ordered has the collation "C": by bytes, the same on every server.
 * - Triggers prevent everybody from changing or deleting events, even a person at a prompt, except those who may drop
 *   triggers. Others prevent writes to any of the tables by mistake, above all by handlers of projections.
 *
 * Tidy: functions longer than 70 lines because one is the list of the tables.
 */

import { writingSetting } from './writing.ts'

/** Tables that only the store writes. A person who means to write to them says so with `SET mneme.writing = 'on'`. */
const own = ['meta', 'snapshots', 'projections', 'projection_rows', 'leases', 'reservations'] as const

/** Tables whose rows are never changed or deleted. */
const guarded = ['events', 'event_tags', 'streams', 'kinds', 'head'] as const

/** A name in quotes for SQL, whatever characters it has. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** The tables, indexes, triggers and the view, in an existing schema. @param schema quoted */
export const tablesIn = (schema: string): string => `
CREATE TABLE ${schema}.meta (name text COLLATE "C" PRIMARY KEY, value bigint NOT NULL);
CREATE TABLE ${schema}.head (single boolean PRIMARY KEY DEFAULT true CHECK (single));
INSERT INTO ${schema}.head DEFAULT VALUES;
CREATE TABLE ${schema}.streams (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  aggregate text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX streams_by_id ON ${schema}.streams (aggregate, id);
CREATE TABLE ${schema}.kinds (
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  aggregate text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX kinds_by_type ON ${schema}.kinds (aggregate, type);
CREATE TABLE ${schema}.events (
  position bigint PRIMARY KEY,
  stream bigint NOT NULL,
  sequence bigint NOT NULL,
  recorded_at bigint NOT NULL,
  revision bigint NOT NULL,
  command_digest bigint,
  kind integer NOT NULL,
  size integer NOT NULL,
  checksum integer NOT NULL,
  commit_size integer,
  commit_checksum integer,
  commit_id text COLLATE "C" NOT NULL,
  command text COLLATE "C",
  data json NOT NULL,
  metadata json,
  tags text[] COLLATE "C"
);
CREATE UNIQUE INDEX events_by_stream ON ${schema}.events (stream, sequence);
CREATE UNIQUE INDEX events_by_commit ON ${schema}.events (commit_id, stream) WHERE commit_size IS NOT NULL;
CREATE INDEX events_by_kind ON ${schema}.events (kind, position);
CREATE TABLE ${schema}.event_tags (tag text COLLATE "C" NOT NULL, position bigint NOT NULL, PRIMARY KEY (tag, position));
CREATE TABLE ${schema}.snapshots (
  aggregate text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  state_revision bigint NOT NULL,
  taken_at bigint NOT NULL,
  checksum bigint NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  state json NOT NULL,
  PRIMARY KEY (aggregate, id, sequence)
);
CREATE TABLE ${schema}.projections (
  name text COLLATE "C" PRIMARY KEY,
  position bigint NOT NULL,
  term bigint NOT NULL,
  note json NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE ${schema}.projection_rows (
  projection text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  value json,
  escaped text COLLATE "C",
  PRIMARY KEY (projection, key),
  CHECK ((value IS NULL) <> (escaped IS NULL))
) WITH (fillfactor = 80);
CREATE TABLE ${schema}.leases (
  name text COLLATE "C" PRIMARY KEY,
  owner text COLLATE "C" NOT NULL,
  expires_at bigint NOT NULL,
  duration_ms bigint NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE ${schema}.reservations (
  aggregate text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  writer text COLLATE "C" NOT NULL,
  expires_at bigint NOT NULL,
  PRIMARY KEY (aggregate, id)
);
CREATE VIEW ${schema}.event_log AS
  SELECT e.position, s.aggregate, s.id, e.sequence, k.type, e.revision, e.data, coalesce(e.metadata, '{}') AS metadata,
    coalesce(e.tags, '{}') AS tags, to_timestamp(e.recorded_at / 1000.0) AS recorded_at, e.commit_id,
    e.command
  FROM ${schema}.events e
  JOIN ${schema}.streams s ON s.number = e.stream
  JOIN ${schema}.kinds k ON k.number = e.kind;
CREATE FUNCTION ${schema}.forbid_writing() RETURNS trigger LANGUAGE plpgsql AS $mneme$
BEGIN
  RAISE EXCEPTION 'only the store writes its own tables' USING ERRCODE = 'restrict_violation';
END $mneme$;
${[
  ...guarded.map((table) => [table, 'INSERT']),
  ...own.map((table) => [table, 'INSERT OR UPDATE OR DELETE OR TRUNCATE']),
]
  .map(
    ([table, what]) => `CREATE TRIGGER ${table}_are_own BEFORE ${what} ON ${schema}.${table}
  FOR EACH STATEMENT WHEN (current_setting('${writingSetting}', true) IS DISTINCT FROM 'on')
  EXECUTE FUNCTION ${schema}.forbid_writing();`,
  )
  .join('\n')}
CREATE FUNCTION ${schema}.forbid_change() RETURNS trigger LANGUAGE plpgsql AS $mneme$
BEGIN
  RAISE EXCEPTION 'what happened is never changed or deleted' USING ERRCODE = 'restrict_violation';
END $mneme$;
${guarded
  .map(
    (table) => `CREATE TRIGGER ${table}_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ${schema}.${table}
  FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.forbid_change();`,
  )
  .join('\n')}
`
