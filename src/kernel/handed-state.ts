/**
 * States that an owner gives to the next owner of their streams, so that it need not read all events again. Such a
 * state proves nothing: it may be old by the time it is used. So before anything is decided on it, the new owner asks
 * the store where the stream ends, and reads what is missing. As at every load, it also asks whether it owns the
 * stream. A state that other functions have made is not used, as with snapshots.
 */
import { decode, encode } from '../domain/encoding.ts'
import type { Json } from '../domain/json.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Environment } from '../runtime/environment.ts'
import { deepFreeze } from '../runtime/freeze.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { KernelLimits } from './limits.ts'
import type { Looks } from './looks.ts'
import type { Ownership } from './ownership.ts'
import { catchUp, type LoadedState, notLoaded, rehydrate, type Sources, StreamReplaced } from './rehydrate.ts'
import { tryUpTo } from './retry.ts'

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

/** A state that this process does not need any more, because another one owns its stream. */
export interface DroppedState extends HeldState {
  readonly sequence: number
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
async function loadFrom(
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

/** What is needed to load a state and to ask for its owner. */
export interface Loading extends Sources {
  readonly looks: Looks | undefined
  readonly environment: Environment
  readonly limits: Pick<KernelLimits, 'loadTriesMax'>
  /** From then on, nothing is tried again. */
  readonly over?: AbortSignal
  readonly ownership: Pick<Ownership, 'confirm'> | undefined
}

/**
 * Loads a state, and asks whether this process owns the stream. Of a state that it knew before the question and that is
 * still the newest, no later owner has stored anything, so both are asked at the same time. Otherwise the question
 * comes after the load (`ownership.ts`).
 */
export async function loadAndAsk(
  loading: Loading,
  type: AggregateType,
  stream: StreamId,
  known: LoadedState,
): Promise<{ readonly loaded: LoadedState; readonly owned: boolean }> {
  const asked = known === notLoaded ? undefined : isOwned(loading, stream)
  // If it is not awaited, a failure does not matter.
  asked?.catch(() => {})
  const loaded = await tryUpTo(loading, () => loadFrom(loading, type, stream, known))
  return { loaded, owned: await (asked !== undefined && loaded === known ? asked : isOwned(loading, stream)) }
}

/** Whether this process decides the commands of a stream, as the store says. @throws StoreError */
export async function isOwned(loading: Loading, stream: StreamId): Promise<boolean> {
  const { ownership } = loading
  return ownership === undefined || tryUpTo(loading, () => ownership.confirm(stream))
}
