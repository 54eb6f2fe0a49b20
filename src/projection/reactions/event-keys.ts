/** The keys of an event for a reaction: that of its state, or its stream. */
import { streamKey } from '../../domain/code-projection.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import { checkId } from '../../domain/id.ts'
import type { AnyReaction, EventHandler } from '../../domain/reaction.ts'
import { carrying } from '../../domain/sealed-value.ts'
import { eventOf } from '../../kernel/rehydrate.ts'
import type { StoredEvent } from '../../store/store.ts'
import type { Keys } from './lanes.ts'
import { stateKey } from './reaction-rows.ts'

/** A reaction, and the events that it handles. */
export interface Handling {
  readonly reaction: AnyReaction
  readonly kinds: HandledKinds<EventHandler>
}

export interface EventKeys {
  /** Events with a common key are handled one after the other. Later ones queue behind a parked one. */
  readonly keys: Keys
  /**
   * The key of the row with the event's state. Absent if the event cannot be read; it then fails when it is handled.
   */
  readonly stateKey: string | undefined
}

export function keysOfEvent(handling: Handling, stored: StoredEvent): EventKeys {
  const stream = streamKey(stored)
  const key = keyOfState(handling, stored)
  // An event that cannot be read blocks all later events of its stream.
  return key === undefined
    ? { stateKey: undefined, keys: { holds: [stream], waitsFor: [stream] } }
    : { stateKey: stateKey(key), keys: { holds: [key], waitsFor: [key, stream] } }
}

/** The event as its handler gets it. */
export const upcastFor = ({ kinds }: Pick<Handling, 'kinds'>, stored: StoredEvent): RecordedEvent =>
  eventOf(kinds.of(stored)!.kind, stored)

/** @throws InputError `ID_INVALID` */
export function checkedStateKey(key: unknown): string {
  checkId('the key of a state', key)
  return stateKey(key)
}

/** The key may be stored as it is, so it is not made from personal values. */
export const keyOf = (memory: NonNullable<AnyReaction['memory']>, event: RecordedEvent): string =>
  carrying(() => memory.key(event))

function keyOfState(handling: Handling, stored: StoredEvent): string | undefined {
  const { memory } = handling.reaction
  if (memory === undefined) return undefined
  try {
    const key = keyOf(memory, upcastFor(handling, stored))
    checkedStateKey(key)
    return key
  } catch {
    return undefined
  }
}
