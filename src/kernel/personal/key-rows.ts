/**
 * The rows in which keys are stored. They are read by programs of other versions too, so each row of a key says its
 * format: which cipher the key is for, and what else the row has.
 */
import { StoreError } from '../../domain/error.ts'
import type { Json } from '../../domain/json.ts'
import type { Checkpoint, ProjectionStep, Row } from '../../store/store.ts'

/** The name of the storage of keys. */
export const keysName = 'personal keys'
/** Keys of AES-256-GCM. It is the only format so far. */
const format = 1

const digits = 16
export const subjectRow = (subject: string): string => `subject ${subject}`
export const keyRow = (id: string): string => `key ${id}`
export const forgottenRow = (subject: string): string => `forgotten ${subject}`
export const holderPrefix = 'holder '
export const holderRow = (id: string): string => holderPrefix + id
export const destroyedPrefix = 'destroyed '
export const destroyedRow = (n: number): string => destroyedPrefix + String(n).padStart(digits, '0')

/** How many keys were destroyed so far. */
export const destroyedIn = ({ note }: Checkpoint): number => Number(note['destroyed'] ?? 0)

/** A key as it is stored, under the row of its subject and under its own. */
export interface StoredKey {
  readonly id: string
  readonly subject: string
  readonly secret: string
}

/** What is left of a destroyed key. */
export interface DestroyedKey {
  readonly id: string
  readonly subject: string
  /** In milliseconds since 1970. */
  readonly destroyedAt: number
}

/** A process that may have keys in memory. */
export interface Holder {
  /** So many of the destroyed keys, in their order, are gone from its memory. */
  readonly destroyed: number
  /** When it began to forget all, by its own clock, in milliseconds since 1970. */
  readonly closedAt?: number
}

/** A step that changes keys, and counts the change. */
export function stepFrom(
  { position, term }: Checkpoint,
  note: Checkpoint['note'],
  rows: readonly Row[],
): ProjectionStep {
  return { from: { position, term }, to: { position, term: term + 1, note }, rows }
}

export const keyAsRow = (key: string, stored: StoredKey | DestroyedKey): Row => ({ key, value: { format, ...stored } })

/** A step that destroys the key of a subject. @param destroyed all that were ever destroyed; this one comes last */
export function destroyingStep(checkpoint: Checkpoint, destroyed: readonly DestroyedKey[]): ProjectionStep {
  const { id, subject } = destroyed.at(-1)!
  const count = destroyedIn(checkpoint) + 1
  return stepFrom(checkpoint, { destroyed: count }, [
    { key: subjectRow(subject), value: undefined },
    keyAsRow(keyRow(id), destroyed.at(-1)!),
    { key: forgottenRow(subject), value: { format, keys: destroyed.map((each) => ({ ...each })) } },
    { key: destroyedRow(count), value: id },
  ])
}

/**
 * The key in a row; `undefined` if the row is not there.
 *
 * @throws StoreError `PERSONAL_TOO_NEW`, `STORE_CORRUPT`
 */
export function keyIn(store: string, key: string, value: Json | undefined): StoredKey | DestroyedKey | undefined {
  return value === undefined ? undefined : formed(store, key, value, isKey)
}

/** The destroyed keys of a subject. @throws StoreError `PERSONAL_TOO_NEW`, `STORE_CORRUPT` */
export function forgottenIn(store: string, subject: string, value: Json | undefined): readonly DestroyedKey[] {
  if (value === undefined) return []
  return formed<{ readonly keys: readonly DestroyedKey[] }>(store, forgottenRow(subject), value, isList).keys
}

/** A process that may have keys in memory. @throws StoreError `PERSONAL_TOO_NEW`, `STORE_CORRUPT` */
export const holderIn = (store: string, key: string, value: Json | undefined): Holder | undefined =>
  value === undefined ? undefined : formed(store, key, value, ({ destroyed }) => typeof destroyed === 'number')

export const holderAsRow = (key: string, holder: Holder): Row => ({ key, value: { format, ...holder } })

type Found = Readonly<Record<string, unknown>>

const isKey = (found: Found): boolean =>
  typeof found['id'] === 'string' &&
  typeof found['subject'] === 'string' &&
  (typeof found['secret'] === 'string' || typeof found['destroyedAt'] === 'number')

const isList = ({ keys }: Found): boolean => Array.isArray(keys) && keys.every((each) => isKey(each as Found))

/** A row that has another form was damaged. It must not look like that of a destroyed key. */
function formed<Value>(store: string, row: string, value: Json, isFormed: (found: Found) => boolean): Value {
  const found = (value ?? {}) as Found
  const version = found['format']
  if (typeof version === 'number' && version > format)
    throw new StoreError('PERSONAL_TOO_NEW', { what: `The key store ${store}`, version, known: format })
  if (version === format && isFormed(found)) return found as Value
  const where = `the row ${JSON.stringify(row)} of ${keysName}`
  throw new StoreError('STORE_CORRUPT', { store, where, reason: 'it is not of the form in which it was stored' })
}
