/**
 * Processes at work on one store, killed and stopped in the middle of it and followed by others: every answer that any
 * caller got is judged, together with all others and the log (`checker.ts`).
 *
 * `MNEME_LINEARIZABILITY_ROUNDS` asks for more rounds than usual.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { StoredEvent } from '../../src/index.ts'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import type { Random } from '../../src/testing/random.ts'
import { storeAt } from '../support/crash/place.ts'
import { serverKinds, serverPlace } from '../support/crash/server-place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { type Call, type Entry, judge } from '../support/linearizability/checker.ts'
import { withSeed } from '../support/seed.ts'
import { onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'
import type { FromTeller, ToTeller } from './teller.ts'

const program = new URL('./teller.ts', import.meta.url)
const accounts = ['ada', 'bob', 'eve']
const tellers = 3
/** A process that does not end by itself in this time hangs. */
const timeoutMs = 300_000

/** How much a round is. */
interface Pace {
  readonly rounds: number
  readonly callers: number
  /** Answers of all processes in a round. */
  readonly answersMin: number
}

/** What callers asked and were told, by account. */
class History {
  readonly #calls = new Map<string, Call & { readonly account: string }>()
  answers = 0
  readonly unknown: string[] = []

  hear(said: FromTeller): void {
    if (said.say === 'called') {
      const { commandId, account, name, amount, at } = said
      this.#calls.set(commandId, { commandId, account, name, amount, calledAt: at })
    } else if (said.say === 'answered') {
      this.answers++
      const { commandId, answer, at } = said
      this.#calls.set(commandId, { ...this.#calls.get(commandId)!, answered: { at, answer } })
    } else this.unknown.push(said.code)
  }

  of(account: string): readonly Call[] {
    return [...this.#calls.values()].filter((call) => call.account === account)
  }

  get size(): number {
    return this.#calls.size
  }
}

/**
 * One round: some processes at work; one is killed, one is stopped and followed by another, the rest stop at the end.
 */
async function round(context: TestContext, place: Place, pace: Pace, random: Random): Promise<History> {
  const history = new History()
  const programs: ChildProgram[] = []
  const killAt = random.int(1, pace.answersMin)
  const replaceAt = random.int(1, pace.answersMin)
  let killed = false
  let replaced = false
  let isOver = false
  const start = (): void => {
    const name = `teller ${programs.length}`
    const teller = new ChildProgram(program, (line) => hear(JSON.parse(line)), timeoutMs)
    programs.push(teller)
    const { callers } = pace
    teller.send({ tell: 'begin', place, name, seed: random.int(0, 2 ** 31), callers, accounts } satisfies ToTeller)
  }
  const hear = (said: FromTeller): void => {
    history.hear(said)
    if (!killed && history.answers >= killAt) {
      killed = true
      programs[0]!.kill()
      start()
    }
    if (!replaced && history.answers >= replaceAt) {
      replaced = true
      programs[1]!.send({ tell: 'stop' } satisfies ToTeller)
      start()
    }
    if (isOver || !killed || !replaced || history.answers < pace.answersMin) return
    isOver = true
    for (const teller of programs) teller.send({ tell: 'stop' } satisfies ToTeller)
  }
  for (let i = 0; i < tellers; i++) start()
  context.after(async () => {
    for (const teller of programs) teller.kill()
    await Promise.allSettled(programs.map(({ ended }) => ended))
  })
  for (let i = 0; i < programs.length; i++) {
    const { code, signal, complaints } = await programs[i]!.ended
    assert.ok(signal === 'SIGKILL' || code === 0, `it ended with ${code ?? signal}: ${complaints}`)
  }
  return history
}

/** The entries of each account in the log. */
async function entriesOf(place: Place): Promise<ReadonlyMap<string, readonly Entry[]>> {
  const store = await storeAt(place).open({ warn: () => {}, now: Date.now })
  const entries = new Map<string, Entry[]>(accounts.map((id) => [id, []]))
  const take = ({ stream, metadata, data }: StoredEvent) =>
    entries.get(stream.id)!.push({ commandId: metadata['called'] as string, change: (data as { by: number }).by })
  for (let from = 1; ; ) {
    const page = await store.readAll({ from, to: Number.POSITIVE_INFINITY })
    page.events.forEach(take)
    from = page.examined + 1
    if (page.isLast) break
  }
  await store.close()
  return entries
}

async function judgeRounds(context: TestContext, makePlace: () => Promise<Place>, pace: Pace): Promise<void> {
  let operations = 0
  const unknown = new Map<string, number>()
  await withSeed(async (random) => {
    for (let i = 0; i < roundsOf(pace); i++) {
      const place = await makePlace()
      const history = await round(context, place, pace, random)
      const entries = await entriesOf(place)
      for (const account of accounts) {
        assert.deepEqual(judge(history.of(account), entries.get(account)!), [], `round ${i}, account ${account}`)
      }
      operations += history.size
      for (const code of history.unknown) unknown.set(code, (unknown.get(code) ?? 0) + 1)
    }
  })
  context.diagnostic(
    `${operations} operations in ${roundsOf(pace)} rounds; without an answer: ${JSON.stringify([...unknown])}`,
  )
  for (const code of unknown.keys()) assert.ok(['STOPPED', 'OUTCOME_UNKNOWN'].includes(code), `a caller saw ${code}`)
}

const roundsOf = ({ rounds }: Pace): number => Number(process.env['MNEME_LINEARIZABILITY_ROUNDS'] ?? rounds)

const title = `every answer of ${tellers} processes that are killed and stopped is right at some moment between call and answer`

test(`SQLite: ${title}`, { timeout: timeoutMs * 4 }, async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-linear-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  let files = 0
  const makePlace = async (): Promise<Place> => ({ store: 'sqlite', path: join(directory, `${files++}.db`) })
  await judgeRounds(context, makePlace, { rounds: sized(3, 1), callers: 12, answersMin: sized(2_000, 300) })
})

const paceOf: Readonly<Record<string, Pace>> = {
  postgres: { rounds: sized(3, 1), callers: 12, answersMin: sized(2_000, 300) },
  nats: { rounds: sized(3, 1), callers: 12, answersMin: sized(2_000, 300) },
  mongodb: { rounds: 3, callers: 4, answersMin: 300 },
}

for (const { store, name, find } of serverKinds) {
  await onServer(name, find, (server) => {
    test(`${name}: ${title}`, { timeout: timeoutMs * 4 }, async (context) => {
      await judgeRounds(context, async () => serverPlace(context, server, store), paceOf[store]!)
    })
  })
}
