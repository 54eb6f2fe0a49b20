/** Killing a program: it is killed every time, what it told is heard, and a failure names the seed and the round. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { KillRoundFailed, type KillRoundsOptions, killRounds } from './kill-rounds.ts'

const program = new URL('./counting-program.fixture.ts', import.meta.url)

async function pathIn(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-kill-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'count')
}

const failing = async (options: KillRoundsOptions): Promise<KillRoundFailed> => {
  const error = await killRounds(options).then(
    () => assert.fail('it did not fail'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof KillRoundFailed, String(error))
  return error
}

test('what a program told before it was killed was heard, in order, and is still there', async (context) => {
  const path = await pathIn(context)
  const heard: number[] = []
  const rounds: number[] = []
  const { told, seed } = await killRounds({
    program,
    data: { path },
    rounds: 6,
    seed: 7,
    toldMax: 20,
    beginMsMax: 200,
    onTold: ({ n }) => heard.push(n),
    async check({ round }) {
      rounds.push(round)
      const stored = (await readFile(path, 'utf8').catch(() => '')).split('\n').slice(0, -1).map(Number)
      assert.deepEqual(
        stored,
        Array.from(stored, (_, i) => i),
      )
      // It may be killed between writing a number and telling it.
      assert.ok(stored.length <= heard.length + round, 'in each round, one number at most was not told')
      assert.deepEqual(
        heard,
        stored.filter((n) => heard.includes(n)),
      )
    },
  })
  assert.deepEqual(rounds, [1, 2, 3, 4, 5, 6])
  assert.deepEqual([told, seed], [heard.length, 7])
})

test('in the last round the program tells something, if none has before', async (context) => {
  const data = { path: await pathIn(context) }
  const told: number[] = []
  const check = (round: { readonly told: number }) => void told.push(round.told)
  // Both plans of this seed are to kill within a millisecond, long before the program has started.
  await killRounds({ program, data, rounds: 2, seed: 39, toldMax: 3, beginMsMax: 1, check })
  assert.equal(told[0], 0)
  assert.ok(told[1]! > 0)
})

test('a check that throws fails the round, with its seed and its number', async (context) => {
  const check = ({ round }: { readonly round: number }) => assert.notEqual(round, 2, 'something is lost')
  const error = await failing({ program, data: { path: await pathIn(context) }, seed: 3, toldMax: 3, check })
  assert.deepEqual([error.seed, error.round], [3, 2])
  assert.match(error.message, /^Round 2 with seed 3 failed \(killed .* ms after .*\): something is lost/)
})

test('a program that ends or fails by itself fails the round, with what it has printed', async () => {
  const check = () => undefined
  const ended = await failing({ program, data: { path: '', does: 'end' }, check, beginMsMax: 60_000 })
  assert.match(ended.message, /the program ended with code 0 before it was killed/)
  const failed = await failing({ program, data: { path: '', does: 'throw' }, check, beginMsMax: 60_000 })
  assert.match(failed.message, /ended with code 1 before it was killed: [\s\S]*it does not work/)
  const prints = await failing({ program, data: { path: '', does: 'print' }, check, beginMsMax: 60_000 })
  assert.match(prints.message, /the program has printed "hello"; its standard output is for what it tells/)
})

test('a program that hangs is killed, and fails the round', async () => {
  const options = { data: { path: '', does: 'hang' }, check: () => undefined, timeoutMs: 300, beginMsMax: 60_000 }
  assert.match((await failing({ program, ...options })).message, /did not end in 300 ms/)
})

test('an option that is unknown or invalid is refused', async () => {
  const check = () => undefined
  for (const wrong of [
    { program: 5 },
    { rounds: 0 },
    { check: undefined },
    { onTold: 1 },
    { kills: 5 },
    { seed: -1 },
  ]) {
    await assert.rejects(killRounds({ program, check, ...wrong } as never), { code: 'OPTION_INVALID' })
  }
})
