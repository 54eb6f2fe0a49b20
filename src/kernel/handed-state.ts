/**
 * States that an owner gives to the next owner of their streams, so that it need not read all events again. Such a
 * state proves nothing: it may be old by the time it is used. So before anything is decided on it, the new owner asks
 * the store where the stream ends, and reads what is missing. As after every load, it then asks whether it owns the
 * stream. A state that other functions have made is not used, as with snapshots.
 */
import { decode, encode } from '../domain/encoding.ts'
import type { Json } from '../domain/json.ts'
import type { StreamId } from '../domain/stream.ts'
import { deepFreeze } from '../runtime/freeze.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { Looks } from './looks.ts'
import { catchUp, type LoadedState, notLoaded, rehydrate, type Sources, StreamReplaced } from './rehydrate.ts'

export interface HandedState extends Omit<LoadedState, 'state'> {
  readonly stream: StreamId
  readonly stateRevision: number
  readonly fingerprint: string
  readonly state: Json
}

/** A state in memory. It becomes JSON when it is taken. */
export interface HeldState {
  readonly stream: StreamId
  readonly take: () => HandedState | undefined
}

/** A state for the next owner, or `undefined` if it cannot be sent. */
export function handedState(type: AggregateType, stream: StreamId, loaded: LoadedState): HandedState | undefined {
  const { stateRevision, fingerprint } = type
  try {
    return { ...loaded, stream, stateRevision, fingerprint, state: encode('A state', loaded.state) }
  } catch {
    return undefined
  }
}

/** A state from the last owner, or `undefined` if other functions have made it. */
export function receivedState(type: AggregateType, handed: HandedState): LoadedState | undefined {
  const { stateRevision, fingerprint, state, sequence, position, checksum } = handed
  if (stateRevision !== type.stateRevision || fingerprint !== type.fingerprint) return undefined
  return { state: deepFreeze(decode(state)), sequence, position, checksum }
}

/**
 * Loads the newest state of a stream.
 *
 * @param known a state that it had once, or `notLoaded`
 * @throws EventError, or what `evolve` or the store throws
 */
export async function loadFrom(
  sources: Sources & { readonly looks: Looks | undefined },
  type: AggregateType,
  stream: StreamId,
  known: LoadedState,
): Promise<LoadedState> {
  if (known === notLoaded || sources.looks === undefined) return rehydrate(sources, type, stream)
  const { sequence, checksum } = await sources.looks.end(stream)
  if (sequence === known.sequence && checksum === known.checksum) return known
  try {
    return await catchUp(sources, type, stream, known)
  } catch (error) {
    if (!(error instanceof StreamReplaced)) throw error
    return rehydrate(sources, type, stream)
  }
}
