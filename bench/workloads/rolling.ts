/**
 * A rolling restart (W20): each member of a cluster is replaced in turn, under deposits. First a new one joins, then an
 * old one leaves, as a deployment does it. The callers are in this process, which is a member too and is replaced last:
 * a second member starts here, the callers go on with that one, and the first one stops. An error of a caller ends
 * everything.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ids, type MeasuredBank, someId, startMeasured } from '../cluster/domain.ts'
import { agreed, MemberProcess } from '../cluster/members.ts'
import { type Figure, spreadOf } from '../figure.ts'
import { makePlace, type Setting } from '../setting.ts'

const callers = 20
/** Members in processes of their own. */
const others = 2
/** How long callers go on before and after each change. */
const betweenMs = 300

/** Callers that go on one command after the other, with the member that is used at the time. */
class Callers {
  bank: MeasuredBank
  /** The longest wait for each account, in milliseconds. */
  #waits = new Map<string, number>()
  #isOver = false
  readonly #running: Promise<unknown>

  constructor(bank: MeasuredBank) {
    this.bank = bank
    this.#running = Promise.all(Array.from({ length: callers }, () => this.#call()))
  }

  /** What `change` lets each account wait at most. */
  async during(change: () => Promise<unknown>): Promise<readonly number[]> {
    this.#waits = new Map()
    const changed = change().then(() => sleep(betweenMs))
    await Promise.race([changed, this.#running])
    return [...this.#waits.values()]
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#running
  }

  async #call(): Promise<void> {
    while (!this.#isOver) {
      const id = someId()
      const begunAt = performance.now()
      await this.bank.account(id).deposit({ amount: 1 })
      this.#waits.set(id, Math.max(this.#waits.get(id) ?? 0, performance.now() - begunAt))
    }
  }
}

export async function measureRolling(setting: Setting): Promise<readonly Figure[]> {
  const place = `rolling-${process.pid}`
  const location = makePlace(setting, place)
  let bank = await startMeasured(location.factory, true)
  await Promise.all(ids.map((id) => bank.account(id).open({ owner: id })))
  const members: MemberProcess[] = []
  for (let i = 0; i < others; i++) members.push(await MemberProcess.start(setting, place))
  await agreed(bank, others + 1)
  const callers = new Callers(bank)
  const waits: Record<'quiet' | 'joins' | 'leaves', number[]> = { quiet: [], joins: [], leaves: [] }
  const during = async (kind: keyof typeof waits, change: () => Promise<unknown>) => {
    for (const wait of await callers.during(change)) waits[kind].push(wait)
  }
  await sleep(1000)
  for (let round = 0; round < Math.max(1, setting.rounds); round++) {
    await during('quiet', () => sleep(betweenMs))
    for (let i = 0; i < others; i++) {
      await during('joins', async () => {
        members.push(await MemberProcess.start(setting, place))
        await agreed(bank, others + 2)
      })
      await during('leaves', () => members.shift()!.stop())
    }
    await during('joins', async () => {
      callers.bank = await startMeasured(location.factory, true)
      await agreed(callers.bank, others + 2)
    })
    await during('leaves', () => bank.stop())
    bank = callers.bank
  }
  await callers.end()
  await Promise.all(members.map((member) => member.stop()))
  await bank.stop()
  await location.remove()
  return Object.entries(waits).map(([kind, of]) => figureOf(setting, kind as keyof typeof waits, of))
}

const whats = {
  quiet: 'while nothing happens to them',
  joins: 'while a member starts and joins',
  leaves: 'while a member leaves',
}

/** The worst is the figure, because the promise is for every account. */
function figureOf({ store }: Setting, kind: keyof typeof whats, waits: readonly number[]): Figure {
  return {
    id: `W20-${kind}`,
    what: `the longest wait for any account of three members ${whats[kind]}, under deposits of ${callers} callers`,
    store,
    unit: 'ms',
    value: Math.max(...waits),
    latencyMs: spreadOf(waits)!,
    memoryPeakBytes: process.memoryUsage.rss(),
  }
}
