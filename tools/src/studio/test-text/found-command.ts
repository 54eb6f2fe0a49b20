/**
 * The command that made some events. A log has the name of a command, but not its data. Many commands have the data of
 * their events, so this is tried: data that lead to the same events on the same state are as good as those that were.
 */
import { isDeepStrictEqual } from 'node:util'
import { Personal } from '../../../../src/index.ts'
import { type Decided, decided, type History, type TestCommand, type TestEvent } from './decided.ts'

/** @param name of the command, if the log says it; otherwise all commands are tried */
export function foundCommand(
  history: History,
  made: readonly TestEvent[],
  name: string | undefined,
): TestCommand | undefined {
  const names = name === undefined ? [...history.aggregate.decisions.keys()] : [name]
  const records = made.map(({ data }) => data).filter((data) => typeof data === 'object' && data !== null)
  const candidates: readonly unknown[] = [...new Set([...records, Object.assign({}, ...records), {}])]
  const { atMs } = made[0]!
  for (const each of names) {
    for (const data of candidates) {
      const command = { name: each, data, atMs }
      if (isSame(outcomeOf(history, command), made)) return { ...command, data: onlyDeclared(history, command, made) }
    }
  }
  return undefined
}

function outcomeOf(history: History, command: TestCommand): Decided | undefined {
  try {
    // The time when it was, because events may have it.
    return decided({ ...history, isTimeless: false }, command)
  } catch {
    return undefined
  }
}

function isSame(outcome: Decided | undefined, made: readonly TestEvent[]): boolean {
  if (outcome === undefined || !('events' in outcome) || outcome.events.length !== made.length) return false
  return outcome.events.every(({ type, data }, i) => type === made[i]!.type && isLike(data, made[i]!.data))
}

/** Whether made data is as in the log. Ids that are made are others each time, and dates are texts in JSON. */
function isLike(made: unknown, real: unknown): boolean {
  if (made instanceof Personal)
    return real instanceof Personal && made.subject === real.subject && isLike(made.value, real.value)
  if (typeof made === 'string' && /^id-\d+$/.test(made) && typeof real === 'string') return true
  if (isDeepStrictEqual(made, real)) return true
  if (made instanceof Date) return typeof real === 'string' && made.toISOString() === real
  if (typeof made !== 'object' || typeof real !== 'object' || made === null || real === null) return false
  const keys = new Set([...Object.keys(made), ...Object.keys(real)])
  return [...keys].every((key) => isLike((made as Fields)[key], (real as Fields)[key]))
}

type Fields = Readonly<Record<string, unknown>>

/** The data without what the command does not need. */
function onlyDeclared(history: History, command: TestCommand, made: readonly TestEvent[]): unknown {
  let data = command.data as Fields
  for (const key of Object.keys(data)) {
    const { [key]: _, ...rest } = data
    if (isSame(outcomeOf(history, { ...command, data: rest }), made)) data = rest
  }
  return data
}
