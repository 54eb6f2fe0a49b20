/**
 * What opening checks and makes: the server's version and JetStream, and the two streams of the store with exactly the
 * settings that its promises need.
 *
 * - `<prefix>_log` has the events. Nothing in it is ever deleted or purged, and the server refuses both.
 * - `<prefix>_state` has everything else: the last message of each subject.
 *
 * Compression stays off: on older servers compressed blocks were corrupted.
 */
import { StoreError } from '../../../domain/error.ts'
import type { OpenOptions } from '../../store.ts'
import type { Settings } from '../options.ts'
import { Connection } from './connection.ts'
import { isMadeByOthers, isMissingStream } from './failure.ts'
import { Room } from './room.ts'
import { JetStream, type StreamInfo } from './stream.ts'
import { Subjects } from './subjects.ts'

/** The version of the layout of messages and subjects. */
const formatVersion = 1
/** The oldest server on which the promises hold. */
const serverMin = [2, 15, 1] as const
const nanosecond = 1e9

export interface Database {
  readonly connection: Connection
  readonly subjects: Subjects
  readonly log: JetStream
  readonly state: JetStream
}

/** @throws StoreError `STORE_UNAVAILABLE`, `STORE_NOT_MIGRATED`, `STORE_TOO_NEW`, `STORE_TOO_OLD` */
export async function openDatabase(settings: Settings, { warn }: Pick<OpenOptions, 'warn'>): Promise<Database> {
  const connection = await Connection.open(settings)
  try {
    checkServer(connection, settings)
    const subjects = new Subjects(settings.prefix)
    const room = new Room(connection)
    const log = await makeOrCheck(connection, settings, room, `${settings.prefix}_log`, {
      subjects: [subjects.events],
      discard: 'new',
      max_msgs_per_subject: -1,
      deny_delete: true,
      deny_purge: true,
    })
    const state = await makeOrCheck(connection, settings, room, `${settings.prefix}_state`, {
      subjects: subjects.state,
      discard: 'new',
      max_msgs_per_subject: 1,
      deny_delete: false,
      deny_purge: false,
      allow_msg_ttl: true,
    })
    if (!log.isReplicated) {
      await warnOfQuota(room, [log, state], warn)
      const message =
        'The log is on one server. If its disk is lost, the log is lost. If its sync_interval is not "always", a power failure may lose events that were acknowledged. For production, use { replicas: 3 } on a cluster.'
      warn({ code: 'DURABILITY_WEAKENED', message })
    }
    return { connection, subjects, log, state }
  } catch (error) {
    await connection.close().catch(() => {})
    throw error
  }
}

/** Warns if other streams of the account may use up what this store needs. */
async function warnOfQuota(room: Room, streams: readonly JetStream[], warn: OpenOptions['warn']): Promise<void> {
  await room.ask()
  const open = streams.filter(({ isReserved }) => !isReserved).map(({ name }) => name)
  if (room.quota === Number.POSITIVE_INFINITY || open.length === 0) return
  const message = `The account may store ${room.quota} bytes, and nothing is reserved for ${open.join(' and ')}. A single server that reaches this quota within a commit or a step keeps the beginning of it. The store looks at what is left, but others may use it meanwhile. Reserve room: nats stream edit ${open[0]} --max-bytes=...`
  warn({ code: 'QUOTA_NOT_RESERVED', message })
}

/** @throws StoreError `STORE_NOT_MIGRATED` */
function checkServer({ server }: Connection, { label }: Settings): void {
  const refuse = (reason: string): never => {
    throw new StoreError('STORE_NOT_MIGRATED', { store: label, reason })
  }
  const version = server.version.split(/[.-]/).map(Number)
  const i = serverMin.findIndex((least, at) => (version[at] ?? 0) !== least)
  if (i !== -1 && (version[i] ?? 0) < serverMin[i]!) {
    refuse(
      `the server has version ${server.version}. Before ${serverMin.join('.')}, servers lost updates: one expectation of a batch overwrote another`,
    )
  }
  if (!server.hasJetStream) refuse('the server runs without JetStream')
}

/** A stream with exactly these settings. */
async function makeOrCheck(
  connection: Connection,
  { label, replicas, migrate }: Settings,
  room: Room,
  name: string,
  wanted: Readonly<Record<string, unknown>>,
): Promise<JetStream> {
  const needed = {
    ...wanted,
    retention: 'limits',
    storage: 'file',
    compression: 'none',
    max_age: 0,
    allow_direct: true,
    allow_atomic: true,
  }
  const find = () => connection.api<StreamInfo>(`STREAM.INFO.${name}`)
  const info = await find().catch(async (error: unknown) => {
    if (!isMissingStream(error)) throw error
    if (!migrate) throw new StoreError('STORE_NOT_MIGRATED', { store: label, reason: `there is no stream ${name}` })
    return make(connection, name, needed, replicas, find)
  })
  const { config } = info
  const version = Number((config['metadata'] as Readonly<Record<string, string>> | undefined)?.['mneme_format'])
  if (version > formatVersion) throw new StoreError('STORE_TOO_NEW', { store: label, version, known: formatVersion })
  const different = Object.entries(needed).filter(([key, value]) => {
    return JSON.stringify(config[key] ?? defaultOf(value)) !== JSON.stringify(value)
  })
  if (different.length > 0) {
    const reason = `the stream ${name} has other settings for ${different.map(([key]) => key).join(', ')}`
    throw new StoreError('STORE_NOT_MIGRATED', { store: label, reason })
  }
  if (version !== formatVersion) {
    throw new StoreError('STORE_NOT_MIGRATED', { store: label, reason: `mneme did not make the stream ${name}` })
  }
  if (wanted['deny_purge'] === true && info.state.first_seq > 1) {
    const where = `positions 1 to ${info.state.first_seq - 1}`
    throw new StoreError('STORE_CORRUPT', { store: label, where, reason: 'the events are missing' })
  }
  const isReserved = Number(config['max_bytes'] ?? -1) > 0
  return new JetStream(connection, name, { isReplicated: config.num_replicas > 1, isReserved, room })
}

async function make(
  connection: Connection,
  name: string,
  needed: Readonly<Record<string, unknown>>,
  replicas: number,
  find: () => Promise<StreamInfo>,
): Promise<StreamInfo> {
  const metadata = { mneme_format: String(formatVersion) }
  const config = { name, ...needed, num_replicas: replicas, duplicate_window: nanosecond, metadata }
  try {
    return await connection.api<StreamInfo>(`STREAM.CREATE.${name}`, config)
  } catch (error) {
    if (!isMadeByOthers(error)) throw error
    return find()
  }
}

const defaultOf = (value: unknown): unknown => (value === false ? false : value === 0 ? 0 : undefined)
