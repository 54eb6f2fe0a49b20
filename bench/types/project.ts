/**
 * The source of a project as a user would write it, of any size: aggregates with their events, commands and rejections,
 * one projection and one reaction for each, and code that sends commands to them. Checking it is what the benchmark of
 * types measures.
 */

/** How large the project is. */
export interface ProjectSize {
  readonly aggregates: number
  /** The commands of each aggregate. Each command has an event of its own. */
  readonly commands: number
}

/** The files of the project, by their names. */
export function projectOf({ aggregates, commands }: ProjectSize): ReadonlyMap<string, string> {
  const numbers = Array.from({ length: aggregates }, (_, i) => i + 1)
  return new Map([
    ...numbers.map((number) => [`part-${number}.ts`, partOf(number, commands)] as const),
    ['world.ts', worldOf(numbers)],
    ['use.ts', useOf(numbers, commands)],
  ])
}

/** The files of a project that only imports the packages: what the compiler takes before it checks anything. */
export const emptyProject: ReadonlyMap<string, string> = new Map([
  [
    'use.ts',
    `import { aggregate, domain, event, projection, reaction, reject } from 'mneme'
import { z } from 'zod'
export const all = [aggregate, domain, event, projection, reaction, reject, z.object({ amount: z.int().positive() })]
`,
  ],
])

/** One aggregate with its events and commands, and a projection and a reaction of its events. */
function partOf(number: number, commands: number): string {
  const each = (line: (i: number) => string) => Array.from({ length: commands }, (_, i) => line(i + 1)).join('\n')
  const name = `part${number}`
  return `import { aggregate, event, projection, reaction, reject } from 'mneme'
import { z } from 'zod'

const amount = z.int().positive()
const line = z.object({ article: z.string(), amount, note: z.string().optional() })
const address = z.object({ street: z.string(), city: z.string(), zip: z.string().length(5) })

${each(
  (i) => `export const Happened${i} = event('Part${number}Happened${i}', z.object({
  amount, lines: z.array(line), to: address.optional(), at: z.coerce.date(), field${i}: z.string(),
}))`,
)}

type State = { status: 'none' | 'open' | 'closed'; total: number; lines: readonly z.infer<typeof line>[]; last: string }

export const Part${number} = aggregate('${name}', (): State => ({ status: 'none', total: 0, lines: [], last: '' }))
${each(
  (i) => `  .on(Happened${i}, (state, { amount, lines, field${i} }) => ({
    ...state, status: 'open', total: state.total + amount, lines: [...state.lines, ...lines], last: field${i},
  }))`,
)}
${each(
  (
    i,
  ) => `  .command('do${i}', z.object({ amount, lines: z.array(line), to: address.optional(), field${i}: z.string() }), (state, input, { now }) => {
    if (state.status === 'closed') return reject('Closed')
    if (input.amount > 1000 - state.total) return reject('TooMuch${i}', { total: state.total, requested: input.amount })
    return Happened${i}({ ...input, at: now })
  })`,
)}

export const Rows${number} = projection('rows${number}', () => ({ total: 0, city: '', lastAt: undefined as Date | undefined }))
${each(
  (i) =>
    `  .on(Happened${i}, (row, { amount, to, at }) => ({ ...row, total: row.total + amount, city: to?.city ?? row.city, lastAt: at }))`,
)}
  .by((event) => event.stream.id)

export const Follow${number} = reaction('follow${number}', { ${name}: Part${number} })
  .on(Happened1, async ({ stream, data }, { dispatch, schedule }) => {
    const sent = await dispatch({ aggregate: '${name}', id: stream.id, name: 'do2', data: { amount: data.amount, lines: [], field2: data.field1 } })
    if (!sent.accepted && sent.rejection.code === 'TooMuch2') console.log(sent.rejection.details.total)
    schedule({ aggregate: '${name}', id: stream.id, name: 'do3', data: { amount: 1, lines: data.lines, field3: '' } }, { afterMs: 1000 })
  })
`
}

/** The domain of all of them. */
function worldOf(numbers: readonly number[]): string {
  const record = (part: string, key: string) =>
    `{ ${numbers.map((number) => `${key}${number}: ${part}${number}`).join(', ')} }`
  return `import { domain } from 'mneme'
${numbers.map((number) => `import { Follow${number}, Part${number}, Rows${number} } from './part-${number}.ts'`).join('\n')}

export const World = domain({
  aggregates: ${record('Part', 'part')},
  projections: ${record('Rows', 'rows')},
  reactions: ${record('Follow', 'follow')},
})
`
}

/** Code that sends commands by handles and as data, and reads states, events and rows. */
function useOf(numbers: readonly number[], commands: number): string {
  return `import { World } from './world.ts'

const world = await World.start()
${numbers
  .map((number) => {
    const i = (number % commands) + 1
    return `
export async function use${number}() {
  const one = world.part${number}('a')
  const { state, events, position } = await one.do${i}({ amount: 1, lines: [], field${i}: 'x' })
  for (const event of events) if (event.type === 'Part${number}Happened${i}') console.log(event.data.field${i}, state.total)
  const tried = await one.try.do1({ amount: 1, lines: [{ article: 'a', amount: 1 }], field1: 'x' })
  if (!tried.accepted) console.log(tried.rejection.code)
  const sent = await world.try.dispatch({ aggregate: 'part${number}', id: 'a', name: 'do${i}', data: { amount: 1, lines: [], field${i}: 'x' } })
  if (!sent.accepted && sent.rejection.code === 'TooMuch${i}') console.log(sent.rejection.details.requested)
  const { rows } = await world.rows${number}.find({ where: { total: { gte: 1 } }, orderBy: [['city', 'descending']] }, { atLeast: position })
  return rows.map(({ row }) => row.city)
}`
  })
  .join('\n')}
`
}
