/**
 * A store whose reads are tried again if they fail for a reason that may pass, so that long work does not end because a
 * connection was lost once. Reads change nothing, so they can be repeated. Writes are the store's own.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { MnemeError, type Store } from '../../../src/index.ts'
import { changedStore } from '../inspection/changed-store.ts'

/** How often one read is tried: for about 15 seconds. */
const triesMax = 8
const pauseMsFirst = 200
const pauseMsMax = 5_000

const reads = ['head', 'readAll', 'readStream', 'streamEnds', 'findCommit', 'listStreams'] as const

export interface PatientOptions {
  readonly signal: AbortSignal
  /** Is told each failure after which a read is tried again. */
  readonly onFailure: (error: MnemeError) => void
}

/** The same store, with patient reads. */
export function patientStore(store: Store, { signal, onFailure }: PatientOptions): Store {
  const patient =
    (read: (...args: readonly unknown[]) => Promise<unknown>) =>
    async (...args: readonly unknown[]): Promise<unknown> => {
      for (let tries = 1; ; tries++) {
        try {
          return await read(...args)
        } catch (error) {
          const mayPass = error instanceof MnemeError && error.retryable
          if (!mayPass || tries === triesMax || signal.aborted) throw error
          onFailure(error)
          await pause(Math.min(pauseMsMax, pauseMsFirst * 2 ** (tries - 1)), undefined, { signal })
        }
      }
    }
  const methods = reads.map((name) => [name, patient(store[name].bind(store) as Parameters<typeof patient>[0])])
  return changedStore(store, Object.fromEntries(methods) as Partial<Store>)
}
