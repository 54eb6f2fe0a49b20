/** The singletons of a running domain. */
import { CancelledError, DefinitionError } from '../domain/error.ts'
import { checkOption } from '../domain/options.ts'
import { Singleton, type SingletonOptions, type SingletonWork } from '../projection/running/singleton.ts'
import type { SingletonHandle } from './running.ts'

/** The longest name, in characters. */
const nameMax = 200

export class Singletons {
  readonly #options: Omit<SingletonOptions, 'name' | 'work'>
  readonly #byName = new Map<string, Singleton>()
  #isStopped = false

  constructor(options: Omit<SingletonOptions, 'name' | 'work'>) {
    this.#options = options
  }

  /** @throws DefinitionError; CancelledError `STOPPED` */
  start(name: string, work: SingletonWork): SingletonHandle {
    if (this.#isStopped) throw new CancelledError('STOPPED', { what: `The singleton ${name}` })
    const isName = (found: unknown) => typeof found === 'string' && found !== '' && found.length <= nameMax
    checkOption('name', name ?? null, isName, `a text of 1 to ${nameMax} characters`)
    checkOption('work', work ?? null, (found) => typeof found === 'function', 'a function')
    if (this.#byName.has(name)) {
      throw new DefinitionError('DEFINITION_INVALID', {
        where: 'The domain',
        reason: `it has the singleton ${name} twice`,
      })
    }
    const singleton = new Singleton({ ...this.#options, name, work })
    this.#byName.set(name, singleton)
    return Object.freeze({
      get isHere() {
        return singleton.isHere
      },
      stop: async () => {
        await singleton.stop()
        // If it was stopped twice, another one may have its name by now.
        if (this.#byName.get(name) === singleton) this.#byName.delete(name)
      },
    })
  }

  /** Ends the work of all. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all([...this.#byName.values()].map((singleton) => singleton.stop()))
  }
}
