/** Forgets a subject, and says what was erased. */
import { DefinitionError } from '../domain/error.ts'
import { isPersonal } from '../domain/event.ts'
import { checkId } from '../domain/id.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import { hasPersonal } from '../domain/personal-schema.ts'
import { boxKeyOf } from '../domain/sealed-value.ts'
import type { KeyRing } from '../kernel/personal/key-ring.ts'
import { rowPages } from '../projection/stored/row-pages.ts'
import type { ErasedEvents, ErasedRows, Erasure } from './erasure.ts'
import type { ManagedProjection } from './management.ts'
import { type Aggregates, type ReactionsByName, reactionStorageName } from './running.ts'
import type { Stores } from './stop.ts'

/** Whether some part of aggregates has personal fields. */
export const declaresPersonal = (aggregates: Aggregates): boolean =>
  Object.values(aggregates).some(
    ({ folds, decisions }) =>
      [...folds.values()].some(({ kind }) => isPersonal(kind)) ||
      [...decisions.values()].some(({ schema }) => hasPersonal(schema)),
  )

interface Forgetting {
  readonly keys: KeyRing | undefined
  readonly stores: Stores
  readonly definition: { readonly aggregates: Aggregates; readonly reactions: ReactionsByName }
  readonly projections: ReadonlyMap<string, ManagedProjection>
}

/** Events or rows in one read of the search. */
const pageSize = 1000
/** Events from either end of the log that show whether the key store is the one of this log. */
const sampleSize = 100

/** Returns the function that forgets a subject. */
export const forgetting =
  (forgetting: Forgetting): ((subject: string) => Promise<Erasure>) =>
  async (subject) => {
    const { keys, stores, definition } = forgetting
    checkId('the subject to forget', subject)
    if (keys === undefined) {
      const reason = 'it declares no personal fields, so there is nothing that could be forgotten'
      throw new DefinitionError('DEFINITION_INVALID', { where: 'The domain', reason })
    }
    const destroyed = await keys.destroy(subject)
    const ids = new Set(destroyed.map(({ id }) => id))
    const filters = personalEvents(definition.aggregates)
    if (ids.size === 0) await checkKeyStore(stores, filters, keys)
    const found = ids.size === 0 ? { events: [], searchedTo: 0 } : await findEvents(stores, filters, ids)
    const rows = ids.size === 0 ? [] : await findRows(forgetting, ids)
    return Object.freeze({
      subject,
      keys: destroyed.map(({ id, destroyedAt }) => Object.freeze({ id, destroyedAt: new Date(destroyedAt) })),
      keyStore: stores.keys.name,
      ...found,
      rows,
    })
  }

type Found = Pick<Erasure, 'events' | 'searchedTo'>

type Filters = { readonly aggregates: readonly string[]; readonly types: readonly string[] }

/** Which events can have personal fields. */
function personalEvents(aggregates: Aggregates): Filters {
  const kinds = Object.values(aggregates).flatMap(({ name, folds }) =>
    [...folds.values()].filter(({ kind }) => isPersonal(kind)).map(({ kind }) => ({ name, type: kind.type })),
  )
  return {
    aggregates: [...new Set(kinds.map(({ name }) => name))],
    types: [...new Set(kinds.map(({ type }) => type))],
  }
}

/**
 * Refuses a key store that is not the one of the log, or is older than it. It knows no key of the subject either, and
 * that must not be certified as "nothing to forget". The oldest and the newest events show it.
 *
 * @throws StoreError `KEY_MISSING`
 */
async function checkKeyStore({ events: store }: Stores, filters: Filters, keys: KeyRing): Promise<void> {
  const range = { from: 1, to: (await store.head()) + 1 }
  for (const direction of ['forward', 'backward'] as const) {
    const { events } = await store.readAll(range, { ...filters, direction, limit: sampleSize })
    await keys.open(events.map(({ data }) => data))
  }
}

async function findEvents({ events: store }: Stores, filters: Filters, ids: ReadonlySet<string>): Promise<Found> {
  const found = new Map<string, ErasedEvents>()
  const searchedTo = await store.head()
  for (let from = 1; from <= searchedTo; ) {
    const page = await store.readAll({ from, to: searchedTo + 1 }, { ...filters, limit: pageSize })
    for (const { stream, type, data, position } of page.events) {
      const fields = new Set<string>()
      collectFields(data, '', ids, fields)
      if (fields.size === 0) continue
      const { aggregate } = stream
      const key = JSON.stringify([aggregate, type])
      const before = found.get(key)
      found.set(key, {
        aggregate,
        type,
        fields: [...new Set([...(before?.fields ?? []), ...fields])],
        count: (before?.count ?? 0) + 1,
        firstPosition: before?.firstPosition ?? position,
        lastPosition: position,
      })
    }
    if (page.isLast) break
    from = page.examined + 1
  }
  return { events: [...found.values()], searchedTo }
}

async function findRows(
  { stores: { events: store }, definition, projections }: Forgetting,
  ids: ReadonlySet<string>,
): Promise<readonly ErasedRows[]> {
  const found: ErasedRows[] = []
  const search = async (of: ErasedRows['of'], name: string, storage: string) => {
    let count = 0
    for await (const rows of rowPages(store, storage, { limit: pageSize })) {
      count += rows.filter(({ value }) => hasFields(value, ids)).length
    }
    if (count > 0) found.push(Object.freeze({ of, name, count }))
  }
  for (const [name, { rows, runner }] of projections) {
    await search('projection', name, (await rows?.reader.storage()) ?? runner.bookmark.storage)
  }
  for (const [name, reaction] of Object.entries(definition.reactions)) {
    await search('reaction', name, reactionStorageName(reaction))
  }
  return found
}

function hasFields(value: Json | undefined, ids: ReadonlySet<string>): boolean {
  const fields = new Set<string>()
  collectFields(value ?? null, '', ids, fields)
  return fields.size > 0
}

function collectFields(json: Json, path: string, ids: ReadonlySet<string>, fields: Set<string>): void {
  if (typeof json !== 'object' || json === null) return
  const id = boxKeyOf(json)
  if (id !== undefined) {
    if (ids.has(id)) fields.add(path)
  } else if (Array.isArray(json)) {
    for (const item of json) collectFields(item, `${path}[]`, ids, fields)
  } else {
    const isMarked = path === '' && Object.keys(json).join() === '$output'
    for (const [name, item] of Object.entries(json as JsonObject)) {
      collectFields(item, path === '' || isMarked ? (isMarked ? '' : name) : `${path}.${name}`, ids, fields)
    }
  }
}
