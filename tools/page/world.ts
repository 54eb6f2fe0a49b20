/**
 * The world that the page asks for, and its address. What was typed into personal fields is not in the address: it has
 * `[personal]` there, and the values stay in the memory of the page.
 */
import type { CommandsView, Json, WorldQuestion } from '../src/studio/views.ts'
import { link } from './links.ts'
import { isRecord, type Schema, withoutPersonal } from './schema-fields.ts'

/** What differs from the real world. */
export type World = Pick<WorldQuestion, 'edits' | 'commands'>

const nothingElse: World = { edits: [], commands: [] }

/** The worlds that were opened here, by what their addresses say. */
const remembered = new Map<string, World>()

/** The world that an address says; nothing else than the real one if it says none. */
export function worldAt({ query }: { readonly query: URLSearchParams }): World {
  const text = query.get('world')
  if (text === null) return nothingElse
  const known = remembered.get(text)
  if (known !== undefined) return known
  try {
    const { edits = [], commands = [] } = JSON.parse(text) as { readonly edits?: Json; readonly commands?: Json }
    const isList = Array.isArray(edits) && Array.isArray(commands)
    const isWorld = isList && edits.every(isEdit) && commands.every(isCommand)
    return isWorld ? ({ edits, commands } as unknown as World) : nothingElse
  } catch {
    return nothingElse
  }
}

const isEdit = (value: Json): boolean => isRecord(value) && Number.isSafeInteger(value['sequence'])
const isCommand = (value: Json): boolean =>
  isRecord(value) && typeof value['name'] === 'string' && value['data'] !== undefined

/** The address of a world. @param commands those of the aggregate, whose schemas say what is personal */
export function worldLink(
  { aggregate, id, sequence }: Pick<WorldQuestion, 'aggregate' | 'id' | 'sequence'>,
  world: World,
  commands: CommandsView['commands'],
  query: Readonly<Record<string, string>> = {},
): string {
  const schemas = new Map(commands.map(({ name, schema }) => [name, schema as Schema | undefined]))
  const shown = world.commands.map(({ name, data }) => {
    const schema = schemas.get(name)
    return { name, data: schema === undefined ? data : withoutPersonal(data, schema, schema) }
  })
  const isReal = world.edits.length === 0 && world.commands.length === 0
  const path = ['what-if', aggregate, id, String(sequence)]
  if (isReal) return link(path, query)
  const text = JSON.stringify({ edits: world.edits, commands: shown })
  remembered.set(text, world)
  return link(path, { ...query, world: text })
}

/** Edited data with `[personal]` where the real data has it. */
export function maskedAs(real: Json | undefined, edited: Json): Json {
  if (real === '[personal]') return real
  if (Array.isArray(edited))
    return (edited as readonly Json[]).map((item, i) =>
      maskedAs(Array.isArray(real) ? (real[i] as Json) : undefined, item),
    )
  if (!isRecord(edited)) return edited
  return Object.fromEntries(
    Object.entries(edited).map(([key, item]) => [key, maskedAs(isRecord(real) ? real[key] : undefined, item)]),
  )
}
