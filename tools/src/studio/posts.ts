/**
 * What the page may ask for with a body: to try something, which stores nothing, and to do something, which is refused
 * unless the studio was started to write.
 */
import type { IncomingMessage } from 'node:http'
import { ToolsError } from '../errors.ts'
import type { Inspection } from '../inspection/index.ts'
import { sendCommand } from './commands.ts'
import type { Managing } from './managing.ts'
import { testView } from './test-text/test-text.ts'
import type { Json, ManageQuestion, SentCommand, TestQuestion, TriedCommand, WorldQuestion } from './views.ts'
import { worldView } from './world.ts'

/** The greatest body of a question, in bytes. */
const bodyMax = 1_000_000
const commandsMax = 100
const editsMax = 200

export interface Post {
  /** Whether it may store something. */
  readonly writes: boolean
  answer(body: Json, signal: AbortSignal): Promise<object>
}

/** The posts by their paths. */
export function postsOf(inspection: Inspection, managing: Managing): ReadonlyMap<string, Post> {
  return new Map<string, Post>([
    ['/api/world', { writes: false, answer: async (body, signal) => worldView(inspection, worldIn(body), signal) }],
    ['/api/test', { writes: false, answer: async (body, signal) => testView(inspection, testIn(body), signal) }],
    ['/api/manage', { writes: true, answer: async (body) => managing.do(managedIn(body)) }],
    ['/api/send', { writes: true, answer: async (body) => sendCommand(inspection, sentIn(body)) }],
  ])
}

/**
 * The body of a request, as JSON.
 *
 * @throws ToolsError `USAGE`
 */
export async function bodyOf(request: IncomingMessage): Promise<Json> {
  // A form of another page cannot send this type.
  if (!/^application\/json(;|$)/.test(request.headers['content-type'] ?? '')) refuse('the body must be JSON')
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > bodyMax) refuse(`the body has more than ${bodyMax.toLocaleString('en')} bytes`)
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8')) as Json
  } catch {
    return refuse('the body is no JSON')
  }
}

function refuse(reason: string): never {
  throw new ToolsError('USAGE', `The question cannot be answered: ${reason}`)
}

// -- reading bodies ----------------------------------------------------------------------------------------------

type Fields = Readonly<Record<string, Json | undefined>>

function fieldsOf(value: Json | undefined, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  return refuse(`${what} must be an object`)
}

function listOf(value: Json | undefined, what: string, most: number): readonly Json[] {
  if (!Array.isArray(value)) return refuse(`${what} must be a list`)
  return value.length <= most ? (value as readonly Json[]) : refuse(`${what} has more than ${most} items`)
}

function textOf(value: Json | undefined, what: string): string {
  return typeof value === 'string' && value !== '' ? value : refuse(`${what} must be a text`)
}

function wholeOf(value: Json | undefined, what: string): number {
  return Number.isSafeInteger(value) && (value as number) >= 0
    ? (value as number)
    : refuse(`${what} must be a whole number`)
}

function commandOf(value: Json | undefined): TriedCommand {
  const { name, data = {} } = fieldsOf(value, 'a command')
  return { name: textOf(name, 'the name of a command'), data }
}

/** The world that a body asks for. */
function worldIn(body: Json): WorldQuestion {
  const { aggregate, id, sequence, edits = [], commands = [] } = fieldsOf(body, 'the question')
  return {
    aggregate: textOf(aggregate, 'aggregate'),
    id: textOf(id, 'id'),
    sequence: wholeOf(sequence, 'sequence'),
    edits: listOf(edits, 'edits', editsMax).map((each) => {
      const edit = fieldsOf(each, 'an edit')
      const { data } = edit
      return { sequence: wholeOf(edit['sequence'], 'the sequence of an edit'), ...(data !== undefined && { data }) }
    }),
    commands: listOf(commands, 'commands', commandsMax).map(commandOf),
  }
}

function testIn(body: Json): TestQuestion {
  const { expectation, state } = fieldsOf(body, 'the question')
  if (expectation !== 'same' && expectation !== 'different') return refuse('expectation must be same or different')
  return { ...worldIn(body), expectation, ...(state !== undefined && { state }) }
}

const actions: readonly ManageQuestion['action'][] = ['rebuild', 'pause', 'resume', 'retry', 'skip']

function managedIn(body: Json): ManageQuestion {
  const { action, kind, name, position } = fieldsOf(body, 'the question')
  const known = actions.find((each) => each === action) ?? refuse('there is no such action')
  if (kind !== 'projection' && kind !== 'reaction') return refuse('kind must be projection or reaction')
  return {
    action: known,
    kind,
    name: textOf(name, 'name'),
    ...(position !== undefined && { position: wholeOf(position, 'position') }),
  }
}

function sentIn(body: Json): SentCommand {
  const fields = fieldsOf(body, 'the question')
  return {
    ...commandOf(body),
    aggregate: textOf(fields['aggregate'], 'aggregate'),
    id: textOf(fields['id'], 'id'),
    commandId: textOf(fields['commandId'], 'commandId'),
    expectedSequence: wholeOf(fields['expectedSequence'], 'expectedSequence'),
  }
}
