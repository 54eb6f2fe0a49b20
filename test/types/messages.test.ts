/**
 * What the compiler says about mistakes, word by word. A message names what is wrong and what there is, and fits a
 * screen however large the domain is: this one has thirty aggregates with ten commands each.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { projectOf } from '../../bench/types/project.ts'
import { root } from '../../scripts/package.ts'

/** The most characters of a message: ten lines of a wide window. */
const lengthMax = 1600

/** The code of each mistake, on one line, and what the compiler says, after its number. */
const mistakes: Readonly<Record<string, readonly [code: string, message: string]>> = {
  'an event without .on': [
    `room.command('rename', z.object({ nick: z.string() }), (_, { nick }) => Renamed({ nick }))`,
    `Type 'MadeEvent<"Renamed", { nick: string; }>' is not assignable to type 'AnyRejection | MadeEvent<"Joined" | "Left", any> | readonly MadeEvent<"Joined" | "Left", any>[] | undefined'.
  Type 'MadeEvent<"Renamed", { nick: string; }>' is not assignable to type 'MadeEvent<"Joined" | "Left", any>'.
    Type '"Renamed"' is not assignable to type '"Joined" | "Left"'.`,
  ],
  'an event that no kind made': [
    `room.command('leave', z.object({}), () => ({ type: 'Left', data: { reason: 'angry' } }))`,
    `Type '{ readonly type: "Left"; readonly data: { readonly reason: "angry"; }; }' is not assignable to type 'AnyRejection | MadeEvent<"Joined" | "Left", any> | readonly MadeEvent<"Joined" | "Left", any>[] | undefined'.
  Property '[madeByItsKind]' is missing in type '{ readonly type: "Left"; readonly data: { readonly reason: "angry"; }; }' but required in type 'MadeEvent<"Joined" | "Left", any>'.`,
  ],
  'a decision that is asynchronous': [
    `room.command('leave', z.object({}), async () => Left({ reason: 'busy' }))`,
    `Type 'Promise<MadeEvent<"Left", { reason: "bored" | "busy"; }>>' is not assignable to type 'AnyRejection | MadeEvent<"Joined" | "Left", any> | readonly MadeEvent<"Joined" | "Left", any>[] | undefined'.`,
  ],
  'a state that does not exist': [
    `room.on(Renamed, (state) => ({ ...state, status: 'closed' }))`,
    `Type '"closed"' is not assignable to type '"empty" | "full"'.`,
  ],
  'a property that the state does not have': [
    `room.on(Renamed, (state) => ({ ...state, memberz: [] }))`,
    `Type '{ members: string[]; status: 'empty' | 'full'; memberz: never[]; }' is not assignable to type '"memberz is not in the state"'.`,
  ],
  'an aggregate that does not exist': [
    `await world.dispatch({ aggregate: 'part31', id: 'a', name: 'do1', data: { amount: 1, lines: [], field1: '' } })`,
    `Type '"part31"' is not assignable to type '"part1" | "part10" | "part11" | "part12" | "part13" | "part14" | "part15" | "part16" | "part17" | "part18" | "part19" | "part2" | "part20" | "part21" | "part22" | "part23" | "part24" | ... 12 more ... | "part9"'. Did you mean '"part1"'?`,
  ],
  'a command that does not exist': [
    `await world.dispatch({ aggregate: 'part7', id: 'a', name: 'do11', data: { amount: 1, lines: [], field1: '' } })`,
    `Type '"do11"' is not assignable to type '"do1" | "do10" | "do2" | "do3" | "do4" | "do5" | "do6" | "do7" | "do8" | "do9"'. Did you mean '"do1"'?`,
  ],
  'a misspelt command': [
    `await one.do11({ amount: 1, lines: [], field1: '' })`,
    `Property 'do11' does not exist on type '{ readonly do1: (data: { amount: number; lines: { article: string; amount: number; note?: string | undefined; }[]; to?: { street: string; city: string; zip: string; } | undefined; field1: string; }, options?: CommandOptions | undefined) => Promise<...>; ... 8 more ...; readonly do9: (data: { ...; }, options?: Comman...'. Did you mean 'do1'?`,
  ],
  'data of the wrong type': [
    `await world.dispatch({ aggregate: 'part7', id: 'a', name: 'do1', data: { amount: '1', lines: [], field1: '' } })`,
    `Type 'string' is not assignable to type 'number'.`,
  ],
  'data that is misspelt': [
    `await world.dispatch({ aggregate: 'part7', id: 'a', name: 'do1', data: { amount: 1, lines: [], feld1: '' } })`,
    `Object literal may only specify known properties, but 'feld1' does not exist in type '{ amount: number; lines: { article: string; amount: number; note?: string | undefined; }[]; to?: { street: string; city: string; zip: string; } | undefined; field1: string; }'. Did you mean to write 'field1'?`,
  ],
  'data that is left out': [
    `await world.dispatch({ aggregate: 'part7', id: 'a', name: 'do1' })`,
    `Argument of type '{ aggregate: "part7"; id: string; name: "do1"; }' is not assignable to parameter of type 'Named<"part7", "do1"> & CommandTo<"part7", "do1", { amount: number; lines: { article: string; amount: number; note?: string | undefined; }[]; to?: { street: string; city: string; zip: string; } | undefined; field1: string; }>'.
  Property 'data' is missing in type '{ aggregate: "part7"; id: string; name: "do1"; }' but required in type 'CommandTo<"part7", "do1", { amount: number; lines: { article: string; amount: number; note?: string | undefined; }[]; to?: { street: string; city: string; zip: string; } | undefined; field1: string; }>'.`,
  ],
  'an option that is misspelt': [
    `await world.dispatch({ aggregate: 'part7', id: 'a', name: 'do1', data: { amount: 1, lines: [], field1: '' }, comandId: 'x' })`,
    `Object literal may only specify known properties, but 'comandId' does not exist in type 'Named<"part7", "do1"> & CommandTo<"part7", "do1", { amount: number; lines: { article: string; amount: number; note?: string | undefined; }[]; to?: { street: string; city: string; zip: string; } | undefined; field1: string; }>'. Did you mean to write 'commandId'?`,
  ],
  'data of the wrong type in a method': [
    `await one.do1({ amount: '1', lines: [], field1: '' })`,
    `Type 'string' is not assignable to type 'number'.`,
  ],
  'a code that the command does not have': [
    `if (!tried.accepted && tried.rejection.code === 'TooMuch2') await world.stop()`,
    `This comparison appears to be unintentional because the types '"Closed" | "TooMuch1"' and '"TooMuch2"' have no overlap.`,
  ],
  'a command of a reaction that does not exist': [
    `reaction('x', { part7: Part7 }).on(Left, async (_, { dispatch }) => { await dispatch({ aggregate: 'part7', id: 'a', name: 'do0', data: {} }) })`,
    `Type '"do0"' is not assignable to type '"do1" | "do10" | "do2" | "do3" | "do4" | "do5" | "do6" | "do7" | "do8" | "do9"'. Did you mean '"do10"'?
Type '{}' is not assignable to type '{ amount: number; lines: { article: string; amount: number; note?: string | undefined; }[]; to?: { street: string; city: string; zip: string; } | undefined; field1: string; } | { amount: number; lines: { ...; }[]; to?: { ...; } | undefined; field2: string; } | ... 7 more ... | { ...; }'.`,
  ],
  // What an editor shows of a kind.
  'an event kind in the wrong place': [
    `const joined: string = Joined`,
    `Type 'EventKind<"Joined", { nick: string; }, unknown>' is not assignable to type 'string'.`,
  ],
  'an event kind whose schema parses': [
    `const ended: string = event('Ended', z.object({ at: z.coerce.date<Date | string>() }))`,
    `Type 'EventKind<"Ended", Parsed<{ at: string | Date; }, { at: Date; }>, unknown>' is not assignable to type 'string'.`,
  ],
  'a row field that does not exist': [
    `await world.rows7.find({ where: { sum: 1 } })`,
    `Object literal may only specify known properties, and 'sum' does not exist in type 'Where<{ total: number; city: string; lastAt: Date | undefined; }>'.`,
  ],
}

const preamble = `import { aggregate, event, reaction } from 'mneme'
import { z } from 'zod'
import { Part7 } from './part-7.ts'
import { World } from './world.ts'
const Left = event('Left', z.object({ reason: z.enum(['bored', 'busy']) }))
const Joined = event('Joined', z.object({ nick: z.string() }))
const Renamed = event('Renamed', z.object({ nick: z.string() }))
type Room = { members: string[]; status: 'empty' | 'full' }
const room = aggregate('room', (): Room => ({ members: [], status: 'empty' })).on(Left).on(Joined)
const world = await World.start()
const one = world.part7('a')
const tried = await one.try.do1({ amount: 1, lines: [], field1: '' })
`
/** The line of the first mistake. */
const firstLine = preamble.split('\n').length

describe('the compiler', () => {
  const cache = join(root, '.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'messages-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const messages = new Map<number, string>()

  before(() => {
    for (const [file, text] of projectOf({ aggregates: 30, commands: 10 })) {
      // Only what the mistakes need of them is checked.
      if (file !== 'use.ts') writeFileSync(join(folder, file), `// @ts-nocheck\n${text}`)
    }
    const lines = Object.values(mistakes).map(([code]) => code)
    writeFileSync(join(folder, 'mistakes.ts'), `${preamble}${lines.join('\n')}\n`)
    const paths = { mneme: [join(root, 'src/index.ts')] }
    const compilerOptions = { noEmit: true, noUnusedLocals: false, paths }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] }),
    )
    const { stdout } = spawnSync(
      process.execPath,
      [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'],
      { encoding: 'utf8' },
    )
    for (const [, file, line, message] of stdout.matchAll(/^(\S+)\((\d+),\d+\): error TS\d+: (.*(?:\n +.*)*)/gm)) {
      assert.match(file!, /mistakes\.ts$/, message)
      messages.set(Number(line), messages.has(Number(line)) ? `${messages.get(Number(line))}\n${message}` : message!)
    }
  })

  for (const [i, [what, [code, message]]] of Object.entries(mistakes).entries()) {
    test(`says what is wrong with ${what}`, () => {
      const said = messages.get(i + firstLine)
      assert.ok(said !== undefined, `it accepts ${code}`)
      assert.ok(said.length <= lengthMax, `it says ${said.length} characters: ${said}`)
      assert.equal(said, message)
    })
  }
})
