/**
 * Keeps the real world out of a run: what would make it other than its seed says throws, so that its stack shows who
 * asked. Nothing is garbage meanwhile, because when garbage is collected is chance. One run at a time, since this is
 * the whole program's.
 */

type Functions = Record<string, unknown>

const refusal = (name: string) => () => {
  throw new Error(`${name} was used in a simulation, which has its own time and chance: take them from decide's moment`)
}

/** Objects with the functions of theirs that are refused. */
const outside = (): readonly (readonly [object: Functions, prefix: string, names: readonly string[]])[] => [
  [globalThis as unknown as Functions, '', ['setTimeout', 'setInterval', 'setImmediate', 'fetch']],
  [Date as unknown as Functions, 'Date.', ['now']],
  [Math as unknown as Functions, 'Math.', ['random']],
  [performance as unknown as Functions, 'performance.', ['now']],
  [crypto as unknown as Functions, 'crypto.', ['randomUUID', 'getRandomValues']],
]

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

/** Does some work while the real world is out of reach; waits for other such work first. */
export function withoutOutside<Result>(work: () => Promise<Result>): Promise<Result> {
  const result = last.then(async () => {
    const restore = refuseAll()
    try {
      return await work()
    } finally {
      restore()
    }
  })
  last = result.catch(() => {})
  return result
}

function refuseAll(): () => void {
  const undo: (() => void)[] = []
  const replace = (object: Functions, name: string, value: unknown) => {
    const own = Object.getOwnPropertyDescriptor(object, name)
    Object.defineProperty(object, name, { value, configurable: true, writable: true })
    undo.push(() => {
      if (own === undefined) delete object[name]
      else Object.defineProperty(object, name, own)
    })
  }
  for (const [object, prefix, names] of outside()) {
    for (const name of names) replace(object, name, refusal(prefix + name))
  }
  for (const [name, value] of Object.entries(keeping)) replace(globalThis as unknown as Functions, name, value)
  return () => {
    for (const each of undo) each()
  }
}
