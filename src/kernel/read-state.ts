/** Reads the state of an aggregate for a caller: from memory if it is the newest, and otherwise from the store. */
import type { StreamId } from '../domain/stream.ts'
import type { Actor, ActorContext } from './actor.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { KeyRing } from './personal/key-ring.ts'
import { catchUp, type LoadedState, rehydrate, StreamReplaced, type Until } from './rehydrate.ts'

/** An aggregate type with its live instances by id. */
export interface Registered {
  readonly type: AggregateType
  readonly live: Map<string, Actor>
}

/** The newest state, or the one at a sequence or a time. */
export async function readState(
  context: ActorContext,
  keys: KeyRing | undefined,
  { type, live }: Registered,
  stream: StreamId,
  until: Until,
): Promise<LoadedState> {
  // A state in memory is not read from the store, so nothing else asks whether its personal values may still be read.
  if (keys?.hasKeys) await keys.confirm()
  const actor = live.get(stream.id)
  const loaded = actor?.loaded
  const current = until.sequence === undefined && until.timeMs === undefined
  if (!current || loaded === undefined) return rehydrate(context, type, stream, until)
  const { looks, events } = context
  // Nobody else writes. But an event that this process is storing may be readable before its answer is here.
  if (looks === undefined && actor!.idle) return loaded
  // Even if answers may be stale, a caller of `state` gets the newest one.
  const end = looks === undefined ? (await events.streamEnds([stream]))[0]! : await looks.end(stream)
  if (end.sequence === loaded.sequence && end.checksum === loaded.checksum) return loaded
  try {
    const newer = await catchUp(context, type, stream, loaded)
    actor!.learn(newer)
    return newer
  } catch (error) {
    if (!(error instanceof StreamReplaced)) throw error
    actor!.learn('replaced')
    return rehydrate(context, type, stream)
  }
}
