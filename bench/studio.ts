/**
 * The studio on a long log: how much processor time its first content costs, and each frame while the slider moves
 * along a stream. Processor time is measured, because a frame's length is that of the whole machine. Only prints.
 *
 *     npm run bench:studio
 *     npm run bench:studio -- --events 100000
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { CDPSession, Page } from 'playwright-core'
import { TransferBank } from '../examples/transfer/bank.ts'
import { buildPage } from '../scripts/page.ts'
import { commit } from '../src/index.ts'
import { sqlite } from '../src/store/sqlite/index.ts'
import { noBrowser, startBrowser } from '../test/support/tools/browser.ts'
import { openInspection } from '../tools/src/inspection/index.ts'
import { startStudio } from '../tools/src/studio/index.ts'

const { values } = parseArgs({ options: { events: { type: 'string', default: '1000000' } } })
const events = Number(values.events)
/** Every tenth event is one of this account. */
const longStream = 'ada'
const batch = 2000

async function makeLog(path: string): Promise<void> {
  const store = await sqlite(path).open({ warn() {}, now: Date.now })
  const sequences = new Map<string, number>()
  for (let n = 0; n < events; ) {
    const commits: ReturnType<typeof commit>[] = []
    for (; commits.length < batch && n < events; n++) {
      const id = n % 10 === 0 ? longStream : `user ${n % 20_000}`
      const sequence = sequences.get(id) ?? 0
      sequences.set(id, sequence + 1)
      const made =
        sequence === 0
          ? { type: 'AccountOpened', data: { owner: id } }
          : { type: 'MoneyDeposited', data: { amount: (n % 97) + 1 } }
      const stream = { aggregate: 'account', id }
      const own = { ...made, revision: 1, metadata: {}, tags: [] }
      commits.push(commit({ stream, expected: sequence, id: `c${n}`, recordedAt: 1000 * n, events: [own] }))
    }
    await store.append(commits)
  }
  await store.close()
}

/** Seconds of processor time that the page has used, by kind. */
async function used(session: CDPSession): Promise<ReadonlyMap<string, number>> {
  const { metrics } = await session.send('Performance.getMetrics')
  return new Map(metrics.map(({ name, value }) => [name, value]))
}

const serverMs = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

/** Moves the slider once in each frame. @returns the lengths of the frames, in order of their lengths */
const slide = (page: Page, from: number, step: number): Promise<readonly number[]> =>
  page.evaluate(`(async () => {
    const input = document.querySelector('input[type=range]')
    const { set } = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')
    const lengths = []
    for (let i = 0, last = 0; i <= 300; i++) {
      const now = await new Promise(requestAnimationFrame)
      if (i > 0) lengths.push(now - last)
      last = now
      set.call(input, String(${from} + i * ${step}))
      input.dispatchEvent(new Event('input', { bubbles: true }))
    }
    return lengths.sort((a, b) => a - b)
  })()`)

async function measure(address: string): Promise<void> {
  await using browser = await startBrowser()
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } })
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const began = process.cpuUsage()
  await page.goto(address)
  await page.locator('.events > li').first().waitFor()
  const shownMs = await page.evaluate<number>('performance.now()')
  const firstMs = ((await used(session)).get('TaskDuration') ?? 0) * 1000
  console.log(
    `first events after ${shownMs.toFixed(0)} ms; ` +
      `processor: ${firstMs.toFixed(0)} ms in the page, ${serverMs(began).toFixed(0)} ms in the server`,
  )
  const length = Math.ceil(events / 10)
  await page.goto(new URL(`/#/stream/account/${longStream}/${Math.floor(length / 2)}`, address).href)
  await page.locator('.version .panel').first().waitFor()
  for (const [name, from, step] of [
    ['one version a frame', Math.floor(length / 2), 1],
    ['along the whole stream', 0, Math.floor(length / 300)],
  ] as const) {
    const before = await used(session)
    const lengths = await slide(page, from, step)
    const after = await used(session)
    const per = (kind: string) => (((after.get(kind) ?? 0) - (before.get(kind) ?? 0)) * 1000) / lengths.length
    const at = (part: number) => lengths[Math.floor(lengths.length * part)]!.toFixed(1)
    console.log(
      `${name}: ${per('TaskDuration').toFixed(1)} ms of processor time a frame, ` +
        `${per('ScriptDuration').toFixed(1)} of it scripts; frames of ${at(0.5)} ms (p50), ${at(0.95)} ms (p95)`,
    )
  }
}

if (noBrowser !== false) throw new Error(noBrowser)
const folder = mkdtempSync(join(tmpdir(), 'mneme-studio-bench-'))
try {
  const path = join(folder, 'log.db')
  await makeLog(path)
  buildPage(join(import.meta.dirname, '../tools/src/studio/page'))
  await using inspection = await openInspection({ store: sqlite(path), domain: TransferBank, log: { warn() {} } })
  await using studio = await startStudio(inspection, { port: 0, environment: {} })
  await measure(studio.address)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
