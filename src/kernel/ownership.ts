/**
 * Ownership of streams, for processes that share a store and divide the work. It saves conflicts and loads. It does not
 * make answers true: the store's expectations and the looks do that, whoever decides.
 *
 * After each load, the process asks whether it still owns the stream. The question comes after the load because then no
 * later owner has stored any of the events that were loaded. If a later owner stores something after the question, the
 * next append conflicts, and the stream is loaded again. So the epochs of a stream's events never go down. A state that
 * was here before the question, and that is the newest after it, needs no other one (`loadAndAsk`).
 */
import type { Outcome } from '../domain/outcome.ts'
import { ownCopy } from '../domain/own-copy.ts'
import type { StreamId } from '../domain/stream.ts'
import type { CheckedCommand, Origin } from './checked-command.ts'
import { digestOf } from './digest.ts'
import type { DispatchOptions } from './dispatch-options.ts'
import { Moved } from './moved.ts'
import type { PendingCommand } from './pending-command.ts'

export interface Ownership {
  /** Rises whenever streams get other owners. The metadata of every event names it. */
  readonly epoch: number
  /** Commands of this process that are with other processes. They count as in flight. */
  readonly underWay: number
  /**
   * Whether this process owns a stream, as the store says at some moment after this call.
   *
   * @throws StoreError
   */
  confirm(stream: StreamId): Promise<boolean>
  /** Whether it does, as far as is known here. */
  owns(stream: StreamId): boolean
  /** Sends a command to the owner of its stream, which is another process. */
  sendOn(stream: StreamId, name: string, data: unknown, options: DispatchOptions): Promise<Outcome>
}

/**
 * What is kept of a command that may have to be sent to another process. One that fails with `Moved` keeps nothing.
 * Data is copied only if a digest cannot show that it was changed since.
 */
export const originOf = (data: unknown, options: DispatchOptions, isCopy: boolean): Origin => ({
  data: isCopy ? ownCopy('The data of a command', data) : data,
  isCopy,
  options,
})

/** Sends a command that was not decided to the process that owns its stream, or fails it with `Moved`. */
export function sendOn(ownership: Ownership, stream: StreamId, pending: PendingCommand): void {
  if (pending.isAnswered) return
  const { name, origin, commandId, metadata, tags } = pending.command
  if (origin === undefined) pending.fail(new Moved())
  else {
    // From now on, only the other process knows whether the command may be stored, so the signal is its matter.
    pending.unlisten()
    const options = { ...origin.options, metadata, tags, ownId: commandId }
    ownership.sendOn(stream, name, dataOf(pending.command, origin), options).then(
      (outcome) => pending.succeed(outcome),
      (error) => pending.fail(error),
    )
  }
}

/** The data as the caller gave it. If the caller has changed it since, what the schema had made of it. */
function dataOf({ mark, input }: CheckedCommand, { data, isCopy }: Origin): unknown {
  return isCopy || data === undefined || digestOf(data) === mark.digest ? data : input
}
