/**
 * What the documentation says that the program prints is what it prints. A marker `<!-- transcript: transfers -->`
 * before a block says in which world its commands run (`transcript-worlds.ts`), one after the other and also those of
 * the blocks that follow. A line after `$` is a command, and the lines after it are its output. Times, digests, ports
 * and tokens may be others.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { pages } from '../../scripts/docs.ts'
import { root } from '../../scripts/package.ts'
import { buildPage } from '../../scripts/page.ts'
import { leftOut } from '../support/size.ts'
import type { Place } from '../support/tools/mneme.ts'
import { worlds } from './transcript-worlds.ts'

interface Step {
  readonly world: string
  readonly args: readonly string[]
  readonly printed: string
}

/** The commands of a page, with what they print. */
function stepsOf(page: string): readonly Step[] {
  const steps: Step[] = []
  let world = 'none'
  for (const [, marker, block] of page.matchAll(/(?:<!-- transcript: (\w+) -->\n)?((?:^ {4}.*\n)+)/gm)) {
    world = marker ?? world
    for (const [, line, printed] of block!.replaceAll(/^ {4}/gm, '').matchAll(/^\$ (?:npx )?(.*)\n((?:[^$].*\n)*)/gm)) {
      const [program, ...args] = wordsOf(line!)
      if (program === 'mneme') steps.push({ world, args, printed: printed! })
    }
  }
  return steps
}

/** The words of a line, as a shell takes them: what is quoted is one word. */
const wordsOf = (line: string): readonly string[] =>
  Array.from(line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g), ([, single, double, plain]) => single ?? double ?? plain!)

/** What is printed, without what differs from run to run. */
const settled = (printed: string): string =>
  printed
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/[\d.,]+ s behind/g, 'SECONDS behind')
    .replaceAll(/sha256:[\da-f]+(\.\.\.)?/g, 'DIGEST')
    .replaceAll(/127\.0\.0\.1:\d+\/\?token=\S+/g, 'ADDRESS')

/** These run until they are interrupted. */
const isServing = ({ args }: Step): boolean => args[0] === 'studio' || args[0] === 'dev'

async function servedBy({ start }: Place, { args, printed }: Step): Promise<string> {
  buildPage(join(root, 'tools/src/studio/page'))
  const child = start([...args, '--port', '0'])
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.on('data', (chunk) => {
      text[name] += chunk
      const isWhole = (text.stdout + text.stderr).split('\n').length >= printed.split('\n').length
      if (isWhole) child.kill('SIGINT')
    })
  }
  await once(child, 'close')
  return text.stdout + text.stderr
}

/** Runs the commands of one world. Those that end by themselves run in one process. */
async function compare(t: TestContext, world: string, steps: readonly Step[]): Promise<void> {
  const make = worlds[world]
  assert.ok(make !== undefined, `There is no world ${world} for mneme ${steps[0]!.args.join(' ')}`)
  const place = await make(t)
  const brief = steps.filter((step) => !isServing(step))
  const ended = await place.each(brief.map(({ args }) => args))
  const printed = ended.map(({ out, err }) => out + err)
  for (const step of steps) {
    const found = isServing(step) ? await servedBy(place, step) : printed[brief.indexOf(step)]!
    assert.equal(settled(found), settled(step.printed), `mneme ${step.args.join(' ')}`)
  }
}

describe('the documentation', () => {
  for (const page of pages) {
    const steps = stepsOf(readFileSync(join(root, page), 'utf8'))
    for (const [world, some] of Map.groupBy(steps, (step) => step.world)) {
      // Programs that serve are started one by one.
      const options = some.some(isServing) && leftOut !== undefined ? { skip: leftOut } : {}
      test(`${page} shows what the program prints, in the world ${world}`, options, (t) => compare(t, world, some))
    }
  }
})
