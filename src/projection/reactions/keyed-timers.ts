/**
 * Timers that have a key: a handler moves or cancels such a timer by scheduling or cancelling the key again. A row for
 * each key says which timer has it. Several events may be handled at once, but their rows are saved in the order of the
 * log. So which timer a key had before is looked up when the rows are saved.
 */
import type { Row } from '../../store/store.ts'
import { isKeyed, positionOfTimer, type Timer, timerPrefix, userKeyOf } from '../stored/timer-row.ts'

/** Loads rows by their keys. */
type LoadRows = (keys: readonly string[]) => Promise<readonly unknown[]>

/**
 * Adds what deletes the timers whose keys are taken by other ones, or cancelled. Of equal keys the last row counts.
 *
 * @param late the position of an event that is handled after later ones, because it was parked. It changes no timer of
 *   a later event
 */
export async function replacingTimers(rows: readonly Row[], load: LoadRows, late?: number): Promise<readonly Row[]> {
  if (!rows.some(({ key }) => isKeyed(key))) return rows
  if (late !== undefined) rows = await withoutTaken(rows, load, late)
  const keyed = rows.filter(({ key }) => isKeyed(key))
  const saved = new Map(rows.map((row) => [row.key, row]))
  const now = new Map(keyed.map(({ key, value }) => [userKeyOf(key), value]))
  for (const { key, value } of saved.values()) {
    if (!key.startsWith(timerPrefix) || value === undefined) continue
    const { userKey } = value as unknown as Timer
    if (userKey !== undefined && now.get(userKey) !== key) saved.set(key, { key, value: undefined })
  }
  const userKeys = [...now.keys()]
  const before = await load(Array.from(new Set(keyed.map(({ key }) => key))))
  const replaced = userKeys.flatMap((userKey, i) => {
    const timer = before[i]
    return typeof timer === 'string' && !saved.has(timer) ? [{ userKey, timer }] : []
  })
  if (replaced.length === 0) return [...saved.values()]
  const timers = await load(replaced.map(({ timer }) => timer))
  for (const [i, { userKey, timer }] of replaced.entries()) {
    // After a reset, a row may name a timer that is gone, or one that has another key by now.
    if ((timers[i] as Timer | undefined)?.userKey === userKey) saved.set(timer, { key: timer, value: undefined })
  }
  return [...saved.values()]
}

/** Leaves out what concerns keys that a timer of a later event has. */
async function withoutTaken(rows: readonly Row[], load: LoadRows, late: number): Promise<readonly Row[]> {
  const keys = [...new Set(rows.filter(({ key }) => isKeyed(key)).map(({ key }) => key))]
  const timers = await load(keys)
  const isTaken = (timer: unknown) => typeof timer === 'string' && positionOfTimer(timer) > late
  const taken = new Set(keys.filter((_, i) => isTaken(timers[i])))
  if (taken.size === 0) return rows
  const userKeys = new Set(Array.from(taken, userKeyOf))
  return rows.filter(({ key, value }) => {
    if (!key.startsWith(timerPrefix)) return !taken.has(key)
    return !userKeys.has((value as Partial<Timer> | undefined)?.userKey ?? '')
  })
}
