/** Describes a domain: its aggregates, projections and reactions. */
import type { AnyAggregate } from '../domain/aggregate.ts'
import { DefinitionError } from '../domain/error.ts'
import type { RecordedEvent } from '../domain/event.ts'
import { HandledKinds } from '../domain/handled-kinds.ts'
import { checkKeys, checkOption, listExpected } from '../domain/options.ts'
import type { AnyReaction } from '../domain/reaction.ts'
import { closeBoxes } from '../kernel/personal/boxes.ts'
import type { StoredEvent } from '../store/store.ts'
import { readableEvent } from './readable-event.ts'
import {
  type Aggregates,
  type ProjectionsByName,
  type ReactionsByName,
  type Running,
  reactionStorageName,
} from './running.ts'
import { type SettledDefinition, start } from './start.ts'
import type { StartOptions } from './start-options.ts'

/** A description of a domain. It does no I/O before it is started, and can be started many times. */
export interface Domain<A, P, R = {}> {
  readonly aggregates: A
  readonly projections: P
  readonly reactions: R
  /**
   * Opens the stores and runs the domain on them.
   *
   * @throws DefinitionError `OPTION_INVALID`, StoreError
   */
  start(options?: StartOptions): Promise<Running<A, P, R>>
  /**
   * An event that was read from a store, as the readers of a running domain get it: upcast to its newest revision. If
   * no aggregate of the domain declares the event, its data is as it is stored. Personal values read as `forgotten`:
   * only a running domain has their keys.
   *
   *     const { events } = await store.readAll({ from: 1, to: 100 })
   *     events.map((event) => Bank.upcast(event))
   *
   * @throws EventError `EVENT_UNREADABLE`
   */
  upcast(stored: StoredEvent): RecordedEvent
}

interface Definition<A, P, R> {
  readonly aggregates: A
  readonly projections?: P
  readonly reactions?: R
  /**
   * Names of metadata that pass from an event to the commands that reactions send and schedule because of it, such as
   * `['user', 'tenant']`. `correlationId`, `traceparent` and `tracestate` always do, and
   * `causationId` is that of each command, so these are refused here.
   */
  readonly carry?: readonly string[]
}

/** Names that no part can have: a running domain uses them itself, or every object has them. */
const reserved: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  ...[
    'dispatch',
    'try',
    'parseCommand',
    'projections',
    'reactions',
    'events',
    'forget',
    'head',
    'load',
    'cluster',
    'stop',
    'then',
    'toJSON',
  ],
])

/** Mneme stores its own data under names that begin like this. */
const ownNames: readonly string[] = ['reaction ', 'generations ', 'rebuilt ', 'paused ', 'personal ', 'cluster ']

/**
 * Describes a domain.
 *
 *     export const Bank = domain({ aggregates: { account: Account }, projections: { balances: Balances } })
 *     await using bank = await Bank.start({ store: sqlite('bank.db') })
 *
 * @throws DefinitionError on names that are reserved or used twice
 */
export function domain<A extends Aggregates, P extends ProjectionsByName = {}, R extends ReactionsByName = {}>(
  definition: Definition<A, P, R>,
): Domain<A, P, R> {
  checkKeys('domain(definition)', definition, ['aggregates', 'projections', 'reactions', 'carry'])
  const { aggregates, projections = {}, reactions = {}, carry = [] } = definition
  checkParts('aggregate', aggregates, ({ folds, decisions }) => folds instanceof Map && decisions instanceof Map)
  checkParts('projection', projections, ({ shape }) => typeof shape === 'string')
  checkParts('reaction', reactions, ({ handlings }) => handlings instanceof Map)
  checkCarry(carry)
  const keys = [...Object.keys(aggregates), ...Object.keys(projections)]
  for (const name of keys) {
    if (reserved.has(name)) throw new DefinitionError('NAME_RESERVED', { where: 'A part of the domain', name })
  }
  checkOnce('the key', keys)
  checkOnce('the aggregate', namesOf(Object.values(aggregates)))
  // Checkpoints of both have names in one namespace.
  const stored = [
    ...namesOf(Object.values(projections)),
    ...Object.values<AnyReaction>(reactions).map(reactionStorageName),
  ]
  checkOnce('the projection or reaction', stored)
  for (const name of namesOf(Object.values(projections))) {
    const isTaken = ownNames.some((own) => name.startsWith(own))
    if (isTaken) throw new DefinitionError('NAME_RESERVED', { where: 'A projection', name })
  }
  const kinds = handledKinds(definition)
  for (const { name, folds } of Object.values<AnyAggregate>(aggregates)) {
    for (const { kind } of folds.values()) kind.family.declaredBy(name)
  }
  const folds = new Map(Object.values(aggregates).map((aggregate) => [aggregate.name, aggregate.folds]))
  return Object.freeze({
    aggregates: aggregates as A,
    projections: projections as P,
    reactions: reactions as R,
    start: (options: StartOptions = {}) =>
      start({ aggregates, projections, reactions, kinds, carry: [...carry] }, options) as Promise<Running<A, P, R>>,
    upcast(stored: StoredEvent) {
      closeBoxes(stored.data)
      return readableEvent(folds.get(stored.stream.aggregate), stored)
    },
  })
}

/** The events that each projection and each reaction handles. */
function handledKinds({
  aggregates,
  projections = {},
  reactions = {},
}: Definition<Aggregates, ProjectionsByName, ReactionsByName>): SettledDefinition['kinds'] {
  const declaring = Object.values(aggregates)
  return {
    rows: new Map(
      Object.values(projections)
        .filter((projection) => projection.shape !== 'code')
        .map((projection) => [
          projection,
          new HandledKinds(`The projection ${projection.name}`, projection.folds.values(), declaring),
        ]),
    ),
    code: new Map(
      Object.values(projections)
        .filter((projection) => projection.shape === 'code')
        .map((projection) => {
          const handlers = projection.kinds.map((kind) => ({ kind }))
          return [projection, new HandledKinds(`The projection ${projection.name}`, handlers, declaring)]
        }),
    ),
    reactions: new Map(
      Object.values(reactions).map((reaction) => [
        reaction,
        new HandledKinds(`The reaction ${reaction.name}`, reaction.handlings.values(), declaring),
      ]),
    ),
  }
}

/** Refuses a value that is not a definition, such as an import from a module that imports this one. */
function checkParts(kind: string, parts: unknown, isPart: (part: any) => boolean): void {
  checkOption(`${kind}s`, parts, (found) => typeof found === 'object' && found !== null, `a record of ${kind}s`)
  for (const [key, part] of Object.entries(parts as object)) {
    if (typeof part === 'object' && part !== null && isPart(part)) continue
    const found = part === undefined ? 'undefined (do two modules import each other?)' : `of type ${typeof part}`
    throw new DefinitionError('DEFINITION_INVALID', { where: 'The domain', reason: `its ${kind} ${key} is ${found}` })
  }
}

/** Names that pass anyway, and one that says something else of each command. Carrying them would change nothing. */
const uncarried = ['correlationId', 'traceparent', 'tracestate', 'causationId']

/** @throws DefinitionError `OPTION_INVALID` */
function checkCarry(carry: readonly string[]): void {
  checkOption('carry', carry, isListOfNames, listExpected(carry, 'names of metadata'))
  const isUseful = (name: string) => !uncarried.includes(name)
  const expected = `names beside ${uncarried.join(', ')}, which commands of reactions get anyway`
  for (const name of carry) checkOption('carry', name, isUseful, expected)
  const isOnce = () => new Set(carry).size === carry.length
  checkOption('carry', carry, isOnce, 'names of metadata, each once')
}

const isListOfNames = (found: unknown): boolean =>
  Array.isArray(found) && found.every((name) => typeof name === 'string' && name !== '')

const namesOf = (parts: readonly { readonly name: string }[]): readonly string[] => parts.map(({ name }) => name)

function checkOnce(what: string, names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice === undefined) return
  throw new DefinitionError('DEFINITION_INVALID', { where: 'The domain', reason: `it has ${what} ${twice} twice` })
}
