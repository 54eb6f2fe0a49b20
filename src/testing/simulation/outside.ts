/**
 * Keeps the real world out of a run: what would make it other than its seed says throws, so that its stack shows who
 * asked. Nothing is garbage meanwhile, because when garbage is collected is chance. One run at a time, since this is
 * the whole program's.
 */

import crypto from 'node:crypto'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import process from 'node:process'
import timers from 'node:timers'
import timerPromises from 'node:timers/promises'

type Functions = Record<string, unknown>

const refuse = (name: string): never => {
  throw new Error(
    `${name} was used in a simulation, which has its own time and chance: take them from decide's moment, and in the simulation's options from random`,
  )
}
const refusal = (name: string) => () => refuse(name)

const timerNames = ['setTimeout', 'setInterval', 'setImmediate']
const randomNames = ['randomUUID', 'randomBytes', 'randomInt', 'randomFill', 'randomFillSync']
/** Node loads modules and source maps with these, and writes its output. What they read does not depend on the time. */
const filesOfNode =
  /^(read|readv|readFile|exists|l?stat|fstat|access|open|close|realpath|readdir|readlink|writev?)Sync$/

const namesOf = (object: object): readonly string[] =>
  Object.entries(object).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []))
const fileNames = namesOf(fs).filter((name) => /^[a-z]/.test(name) && !filesOfNode.test(name))

/** Objects with the functions of theirs that are refused. */
const outside: readonly (readonly [object: object, prefix: string, names: readonly string[]])[] = [
  [globalThis, '', [...timerNames, 'fetch']],
  [timers, 'timers.', timerNames],
  [timerPromises, 'timers.', timerNames],
  [Date, 'Date.', ['now']],
  [Math, 'Math.', ['random']],
  [performance, 'performance.', ['now']],
  [process, 'process.', ['uptime']],
  [AbortSignal, 'AbortSignal.', ['timeout']],
  [globalThis.crypto, 'crypto.', ['randomUUID', 'getRandomValues']],
  [crypto, 'crypto.', randomNames],
  [fs, 'fs.', fileNames],
  [fs.promises, 'fs.promises.', namesOf(fs.promises)],
]

/** A date of the present is refused, and one of a given time is not. */
const GivenDate: DateConstructor = new Proxy(Date, {
  apply: () => refuse('Date()'),
  construct: (target, given: unknown[], made) =>
    given.length === 0 ? refuse('new Date()') : Reflect.construct(target, given, made === GivenDate ? target : made),
})

const hrtime: unknown = Object.assign(refusal('process.hrtime'), { bigint: refusal('process.hrtime.bigint') })

/** What garbage collection decides: as if there were none. */
const keeping: Functions = {
  WeakRef: class<Target> {
    readonly #target: Target

    constructor(target: Target) {
      this.#target = target
    }

    deref(): Target {
      return this.#target
    }
  },
  FinalizationRegistry: class {
    register(): void {}
    unregister(): boolean {
      return false
    }
  },
}

let last: Promise<unknown> = Promise.resolve()

/**
 * Does some work while the real world is out of reach; waits for other such work first. It is awaited step by step, so
 * that the stack of an error leads to the caller.
 */
export async function withoutOutside<Result>(work: () => Promise<Result>): Promise<Result> {
  const before = last
  const { promise, resolve: end } = Promise.withResolvers<void>()
  last = promise
  await before
  let restore = () => {}
  try {
    restore = refuseAll()
    return await work()
  } finally {
    restore()
    end()
  }
}

function refuseAll(): () => void {
  const undo: (() => void)[] = []
  const replace = (object: object, name: string, value: unknown) => {
    const own = Object.getOwnPropertyDescriptor(object, name)
    Object.defineProperty(object, name, { value, configurable: true, writable: true })
    undo.push(() => {
      if (own === undefined) delete (object as Functions)[name]
      else Object.defineProperty(object, name, own)
    })
  }
  for (const [object, prefix, names] of outside) {
    for (const name of names) replace(object, name, refusal(prefix + name))
  }
  for (const [name, value] of Object.entries({ ...keeping, Date: GivenDate })) replace(globalThis, name, value)
  replace(process, 'hrtime', hrtime)
  // What was imported by name, too.
  syncBuiltinESMExports()
  return () => {
    for (const each of undo) each()
    syncBuiltinESMExports()
  }
}
