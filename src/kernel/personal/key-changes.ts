/** Changes of what is stored of keys. */
import { CancelledError, hasCode } from '../../domain/error.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { ProjectionStep, ProjectionStore } from '../../store/store.ts'
import { pauseAfter } from '../retry.ts'
import { keysName } from './key-rows.ts'

/** Where keys are. */
export interface KeyStore
  extends Pick<ProjectionStore, 'loadCheckpoint' | 'loadRowsWithCheckpoint' | 'listRows' | 'saveStep'> {
  readonly name: string
  /** Whether no other process can have keys in memory. */
  readonly singleWriter: boolean
}

/** How often a step that other processes made impossible is tried again. */
export const triesMax = 100

interface Change<Result> {
  readonly step?: ProjectionStep
  readonly result: Result
}

/** What a change needs. */
export interface Changing {
  readonly store: KeyStore
  readonly environment: Environment
  /** From then on it is not tried again. */
  readonly over?: AbortSignal
}

/** Reads and saves again and again, until the step was saved or none is necessary. */
export async function untilSaved<Result>(
  { store, environment, over }: Changing,
  compute: () => Promise<Change<Result>>,
  mostTries: number = triesMax,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      const { step, result } = await compute()
      if (step !== undefined) await store.saveStep(keysName, step)
      return result
    } catch (error) {
      // After any failure it is read again, and that shows whether the step was saved.
      const isRetryable = isOvertaken(error) || (error as { retryable?: boolean }).retryable === true
      if (!isRetryable || tries >= mostTries) throw error
      await pauseAfter(environment, Math.min(tries, 3), over)
      if (over?.aborted) throw atEnd(error)
    }
  }
}

/**
 * What a caller is told if nothing is tried again because this process stops. That others have changed the keys is
 * nothing that it could act on.
 */
export const atEnd = (error: unknown): unknown =>
  isOvertaken(error) ? new CancelledError('STOPPED', { what: 'The question for keys' }, error) : error

/** Whether somebody else has changed the keys since they were read. */
export const isOvertaken = (error: unknown): boolean => hasCode(error, 'CHECKPOINT_CONFLICT')
