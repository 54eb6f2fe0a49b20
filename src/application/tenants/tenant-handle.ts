/**
 * Makes what `banks.get(tenant)` returns: the methods of a running domain. Each borrows the tenant's domain for as long
 * as it takes. The domain is opened if it is not, so a handle never goes stale. An iteration borrows it from its first
 * event to its end.
 */
import type { AnyAggregate } from '../../domain/aggregate.ts'
import { checkId } from '../../domain/id.ts'
import { Job } from '../../projection/running/progress.ts'
import type { Aggregates, ProjectionsByName, ReactionsByName } from '../running.ts'

/** A borrowed domain, to be given back. */
export interface Loan<Bank> {
  readonly bank: Bank
  release(): void
}

/** Borrows the domain of one tenant. */
type Borrow = () => Promise<Loan<any>>
/** Finds the object that has a method, from the object on which it was called. */
type Find = (bank: any, self: any) => any

interface Definition {
  readonly aggregates: Aggregates
  readonly projections: ProjectionsByName
  readonly reactions: ReactionsByName
}

const managed = ['start', 'stop', 'lookup', 'pause', 'resume', 'status', 'runOnce'] as const
const ofParked = ['parked', 'retryParked', 'skipParked', 'reset'] as const
const readModelMethods = { rows: ['get', 'find', 'count'], state: ['state'], code: ['read', 'reached'] } as const

export function tenantHandle({ aggregates, projections, reactions }: Definition, borrow: Borrow): object {
  const management = (key: 'projections' | 'reactions', more: readonly string[]) => {
    const find: Find = (bank) => bank[key]
    const names = Object.freeze(Object.keys(key === 'projections' ? projections : reactions))
    const progress = iterated(borrow, find, 'progress')
    return { names, ...called(borrow, find, [...managed, ...ofParked, ...more]), progress }
  }
  const rebuilding = {
    rebuild: job(borrow, (bank) => bank.projections, 'rebuild'),
    compare: job(borrow, (bank) => bank.projections, 'compare'),
  }
  const readModel = ([key, { shape }]: [string, ProjectionsByName[string]]) => {
    const methods = called(borrow, (bank) => bank[key], readModelMethods[shape])
    return [key, Object.freeze(methods)]
  }
  return Object.freeze({
    ...Object.fromEntries(Object.entries(aggregates).map(([key, each]) => [key, instancesOf(borrow, key, each)])),
    ...Object.fromEntries(Object.entries(projections).map(readModel)),
    ...called(borrow, (bank) => bank, ['dispatch', 'parseCommand', 'head', 'load', 'forget']),
    try: Object.freeze(called(borrow, (bank) => bank.try, ['dispatch'])),
    projections: Object.freeze({ ...management('projections', []), ...rebuilding }),
    reactions: Object.freeze(management('reactions', ['timers', 'waiting', 'cancelTimer', 'sendTimer', 'handBack'])),
    events: iterated(borrow, (bank) => bank, 'events'),
    cluster: Object.freeze({
      ...called(borrow, (bank) => bank.cluster, ['status']),
      changes: iterated(borrow, (bank) => bank.cluster, 'changes'),
    }),
  })
}

/** `banks.get(tenant).account`, by the aggregate's key in the domain. Its handles share their methods. */
function instancesOf(borrow: Borrow, key: string, { name, decisions }: AnyAggregate): object {
  const commands = [...decisions.keys()]
  const find: Find = (bank, { id }) => bank[key](id)

  class Attempts {
    readonly id: string
    constructor(id: string) {
      this.id = id
    }
  }
  Object.assign(
    Attempts.prototype,
    called(borrow, (bank, self) => find(bank, self).try, commands),
  )

  class Handle {
    readonly id: string
    readonly try: Attempts
    constructor(id: string) {
      this.id = id
      this.try = new Attempts(id)
    }
  }
  Object.assign(Handle.prototype, called(borrow, find, [...commands, 'state', 'read']), {
    history: iterated(borrow, find, 'history'),
    events: iterated(borrow, find, 'events'),
  })

  const handle = (id: string) => {
    checkId(`the id of an aggregate ${name}`, id)
    return Object.freeze(new Handle(id))
  }
  return Object.freeze(
    Object.assign(
      handle,
      called(borrow, (bank) => bank[key], ['ids', 'states', 'sequences']),
    ),
  )
}

/** Methods that return a promise. The stack of an error names the line of the caller, because they are asynchronous. */
function called(borrow: Borrow, find: Find, names: readonly string[]): Record<string, (...args: any[]) => unknown> {
  const method = (name: string) =>
    async function (this: unknown, ...args: any[]): Promise<unknown> {
      const { bank, release } = await borrow()
      try {
        return await find(bank, this)[name](...args)
      } finally {
        release()
      }
    }
  return Object.fromEntries(names.map((name) => [name, method(name)]))
}

/** A method that returns something to iterate. */
function iterated(borrow: Borrow, find: Find, name: string): (...args: any[]) => AsyncGenerator {
  return async function* (this: unknown, ...args: any[]) {
    const { bank, release } = await borrow()
    try {
      yield* find(bank, this)[name](...args)
    } finally {
      release()
    }
  }
}

/** A method that returns work with progress. */
function job(borrow: Borrow, find: Find, name: string): (...args: any[]) => Job<unknown> {
  return (...args) =>
    new Job(async (onProgress) => {
      const { bank, release } = await borrow()
      try {
        const work: Job<unknown> = find(bank, undefined)[name](...args)
        for await (const progress of work) onProgress(progress)
        return await work
      } finally {
        release()
      }
    })
}
