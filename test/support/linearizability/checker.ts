/**
 * Judges a history of calls and answers on one account: is there an order of all calls, each at some moment between its
 * call and its answer, in which every answer is right? (Linearizability; Herlihy and Wing, 1990.)
 *
 * In general that takes a search. Here the log gives the order of all commands that stored something, so what is left
 * is simple:
 *
 * 1. Commands that stored something follow one another as real time says: one that was answered before another was
 *   called comes first.
 * 2. Each was decided on the balance that the log had before it, and answered with the one after it.
 * 3. Every answer that stored nothing fits at some place of the log, no earlier than what was answered before its call,
 *   and earlier than what was called after its answer. Trying the answers in the order in which they were given, each
 *   at its earliest fitting place, finds an order if there is one: an earlier place only leaves more room to the
 *   others.
 *
 * A call without an answer (its process was killed, or the outcome is unknown) may be in the log or not, at any moment
 * after its call.
 */

/** What was asked of an account. `look` changes nothing, `demand` fails unless the balance is the amount. */
export type Name = 'deposit' | 'withdraw' | 'look' | 'demand'

/**
 * What a caller was told: `stored` and `nothing` with the balance after it, `rejected` and `failed` with the balance it
 * was decided on.
 */
export type Answer =
  | { readonly kind: 'stored'; readonly sequence: number; readonly balance: number }
  | { readonly kind: 'nothing' | 'rejected' | 'failed'; readonly balance: number }

/** One call. Times are of one clock for all processes, in nanoseconds. */
export interface Call {
  readonly commandId: string
  readonly name: Name
  readonly amount: number
  readonly calledAt: number
  /** None if nothing certain was answered. */
  readonly answered?: { readonly at: number; readonly answer: Answer }
}

/** An event of the account in the log, in order: what changed the balance by how much. */
export interface Entry {
  readonly commandId: string
  readonly change: number
}

/** A call that stored something, with its place. */
interface Placed {
  readonly call: Call
  readonly sequence: number
}

/** From a time on the log is known to reach a sequence. */
interface Floor {
  readonly at: number
  readonly sequence: number
}

/** @returns what is wrong, in words; nothing if the history is linearizable */
export function judge(calls: readonly Call[], log: readonly Entry[]): readonly string[] {
  const balances = [0]
  for (const { change } of log) balances.push(balances.at(-1)! + change)
  const places = new Map<string, number[]>()
  for (const [i, { commandId }] of log.entries()) places.set(commandId, [...(places.get(commandId) ?? []), i + 1])
  const wrong: string[] = []
  const placed: Placed[] = []
  const others: Call[] = []
  for (const call of calls) {
    const at = places.get(call.commandId) ?? []
    if (at.length > 1) wrong.push(`${told(call)} is in the log ${at.length} times`)
    if (call.answered?.answer.kind === 'stored' || (call.answered === undefined && at.length > 0)) {
      if (at[0] === undefined) wrong.push(`${told(call)} is not in the log`)
      else placed.push({ call, sequence: at[0] })
    } else {
      if (at.length > 0) wrong.push(`${told(call)} is in the log at sequence ${at[0]}`)
      if (call.answered !== undefined) others.push(call)
    }
  }
  const known = new Set(calls.map(({ commandId }) => commandId))
  for (const { commandId } of log)
    if (!known.has(commandId)) wrong.push(`${commandId} is in the log, and nobody called it`)
  placed.sort((a, b) => a.sequence - b.sequence)
  return [
    ...wrong,
    ...placed.flatMap((each) => misplaced(each, balances)),
    ...inRealTime(placed),
    ...fittingOf(others, placed, balances),
  ]
}

/** What is wrong with a stored call in its place. */
function misplaced({ call, sequence }: Placed, balances: readonly number[]): readonly string[] {
  const [before, after] = [balances[sequence - 1]!, balances[sequence]!]
  const wrong: string[] = []
  const change = call.name === 'deposit' ? call.amount : -call.amount
  if (after - before !== change) wrong.push(`${told(call)} changed the balance by ${after - before}`)
  if (call.name === 'withdraw' && before < call.amount)
    wrong.push(`${told(call)} was accepted at a balance of ${before}`)
  const answer = call.answered?.answer
  if (answer?.kind === 'stored' && (answer.sequence !== sequence || answer.balance !== after)) {
    wrong.push(`${told(call)} is at sequence ${sequence} with a balance of ${after}`)
  }
  return wrong
}

/** Whether one that was answered before another was called comes before it. */
function inRealTime(placed: readonly Placed[]): readonly string[] {
  const wrong: string[] = []
  let earliest = Number.POSITIVE_INFINITY
  for (const { call, sequence } of placed.toReversed()) {
    // Those behind it in the log must not have been answered before it was called.
    if (earliest < call.calledAt)
      wrong.push(`${told(call)} at sequence ${sequence} was called after one behind it was answered`)
    earliest = Math.min(earliest, call.answered?.at ?? Number.POSITIVE_INFINITY)
  }
  return wrong
}

/** Puts every answer that stored nothing at its earliest fitting place in the log. */
function fittingOf(others: readonly Call[], placed: readonly Placed[], balances: readonly number[]): readonly string[] {
  const wrong: string[] = []
  const byAnswer = placed.filter(({ call }) => call.answered !== undefined).sort((a, b) => at(a.call) - at(b.call))
  const byCall = placed.toSorted((a, b) => a.call.calledAt - b.call.calledAt)
  /** How far the log is at the least, by the time of an answer; in the order of time. */
  const floors: Floor[] = []
  const latest = latestBehind(byCall)
  let next = 0
  const pending = others.toSorted((a, b) => at(a) - at(b))
  for (const call of pending) {
    for (; next < byAnswer.length && at(byAnswer[next]!.call) < at(call); next++) {
      raise(floors, { at: at(byAnswer[next]!.call), sequence: byAnswer[next]!.sequence })
    }
    const first = floorBefore(floors, call.calledAt)
    const last = latest(at(call)) - 1
    let place = first
    while (place <= last && place < balances.length && !fits(call, balances[place]!)) place++
    if (place > last || place >= balances.length)
      wrong.push(`${told(call)} fits nowhere from sequence ${first} to ${Math.min(last, balances.length - 1)}`)
    else raise(floors, { at: at(call), sequence: place })
  }
  return wrong
}

/** For a time: the lowest sequence of what was called after it. */
function latestBehind(byCall: readonly Placed[]): (time: number) => number {
  const lowest: number[] = new Array(byCall.length + 1).fill(Number.POSITIVE_INFINITY)
  for (let i = byCall.length - 1; i >= 0; i--) lowest[i] = Math.min(lowest[i + 1]!, byCall[i]!.sequence)
  return (time) => lowest[firstIndex(byCall.length, (i) => byCall[i]!.call.calledAt > time)]!
}

/** Adds a floor, if it is higher than those before it. They come in the order of time. */
function raise(floors: Floor[], floor: Floor): void {
  const highest = floors.at(-1)?.sequence ?? 0
  if (floor.sequence > highest) floors.push(floor)
}

/** The highest sequence that was known to somebody before a time. */
function floorBefore(floors: readonly Floor[], time: number): number {
  const index = firstIndex(floors.length, (i) => floors[i]!.at >= time)
  return floors[index - 1]?.sequence ?? 0
}

/** The first index from which on something is so; `length` if it never is. */
function firstIndex(length: number, isSo: (index: number) => boolean): number {
  let [low, high] = [0, length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isSo(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** Whether an answer that stored nothing is right at a balance. */
function fits({ name, amount, answered }: Call, balance: number): boolean {
  const answer = answered!.answer
  if (answer.balance !== balance) return false
  if (answer.kind === 'rejected') return name === 'withdraw' && amount > balance
  if (answer.kind === 'failed') return name === 'demand' && amount !== balance
  return name === 'look' || (name === 'demand' && amount === balance)
}

const at = ({ answered }: Call): number => answered!.at

function told({ commandId, name, amount, answered }: Call): string {
  return `${commandId} (${name} ${amount}, ${answered === undefined ? 'not answered' : JSON.stringify(answered.answer)})`
}
