/**
 * The parts that tests of the file store share: a directory for each test, opening it in any way, and small commits.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { StoreWarning } from '../../runtime/warning.ts'
import { type Commit, commit, type OfferedCommit } from '../commit.ts'
import { everything } from '../range.ts'
import type { Snapshot, Store, StoredEvent } from '../store.ts'
import { nodeDisk } from './database/disk.ts'
import { type FileStoreSettings, openStore } from './opening/open-store.ts'

export interface TestPlace extends AsyncDisposable {
  readonly directory: string
  /** The codes of the stores' warnings, in order. */
  readonly warnings: StoreWarning['code'][]
  readonly messages: string[]
  open(settings?: Partial<FileStoreSettings>): Promise<Store>
  /** The paths of the log's segments. */
  segments(): Promise<readonly string[]>
}

/** A place that is removed when its scope ends; stores opened in it are closed before. */
export async function testPlace(): Promise<TestPlace> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-file-'))
  const warnings: StoreWarning['code'][] = []
  const messages: string[] = []
  const warn = ({ code, message }: StoreWarning) => {
    warnings.push(code)
    messages.push(message)
  }
  const opened: Store[] = []
  return {
    directory,
    warnings,
    messages,
    open: async (settings = {}) => {
      const standard = { disk: nodeDisk, directory, segmentBytesMax: 1024 * 1024, mayLoseOnPowerFailure: false }
      const store = await openStore({ ...standard, compactBytesMin: 1024 * 1024, ...settings }, { now: () => 0, warn })
      opened.push(store)
      return store
    },
    segments: async () => {
      const names = (await readdir(directory)).filter((name) => name.startsWith('log-'))
      return names.sort().map((name) => join(directory, name))
    },
    [Symbol.asyncDispose]: async () => {
      for (const store of opened) await store.close().catch(() => undefined)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export const stream = (id: string): StreamId => ({ aggregate: 'thing', id })

/** A commit of one event to a stream, with an id that names it. */
export const commitTo = (id: string, commitId: string, offered: Partial<OfferedCommit> = {}): Commit =>
  commit({
    stream: stream(id),
    expected: 'any',
    id: commitId,
    recordedAt: 1000,
    events: [{ type: 'Happened', data: { of: commitId } }],
    ...offered,
  })

export const snapshotOf = (of: StreamId, sequence: number, state: Json = {}): Snapshot => ({
  stream: of,
  sequence,
  state,
  takenAt: 0,
  stateRevision: 1,
  checksum: sequence,
  fingerprint: 'f',
})

/** The whole log. */
export async function readLog(store: Store): Promise<readonly StoredEvent[]> {
  return (await store.readAll(everything, { limit: Number.POSITIVE_INFINITY })).events
}

export const commitIds = (events: readonly StoredEvent[]): readonly string[] => events.map(({ commitId }) => commitId)
