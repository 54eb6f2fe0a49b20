/** A client of the official kind, and the server `mneme mcp` as a process, on a SQLite store. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { root } from '../../../scripts/package.ts'

/** An answer of a tool. */
export interface Answer {
  readonly isError: boolean
  readonly text: string
}

export interface McpPlace {
  readonly client: Client
  /** Calls a tool. What the protocol answers with an error is an answer too. */
  call(name: string, args?: Readonly<Record<string, unknown>>): Promise<Answer>
  /** Calls a tool that answers. */
  value(name: string, args?: Readonly<Record<string, unknown>>): Promise<any>
  /** Ends the connection, and with it the server. */
  close(): Promise<void>
}

const program = join(root, 'tools/src/cli/main.ts')

/** The command line that serves a SQLite store with a domain, or without one. */
export const mcpArguments = (database: string, domain: string | undefined, ...more: readonly string[]): string[] => {
  const code = domain === undefined ? [] : ['--domain', join(root, domain)]
  return [program, 'mcp', '--store', `sqlite:${database}`, ...code, ...more]
}

/** Starts the server, and connects to it. */
export async function mcpPlace(
  t: TestContext,
  database: string,
  domain?: string,
  ...more: readonly string[]
): Promise<McpPlace> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  const args = mcpArguments(database, domain, ...more)
  const { NODE_TEST_CONTEXT: _, ...env } = process.env as Record<string, string>
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }))
  const close = () => client.close()
  t.after(close)
  const call = async (name: string, args: Readonly<Record<string, unknown>> = {}): Promise<Answer> => {
    try {
      const { content, isError = false } = await client.callTool({ name, arguments: args })
      const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('')
      return { isError, text }
    } catch (error) {
      // The connection is not lost: the next call is answered.
      return { isError: true, text: error instanceof Error ? error.message : String(error) }
    }
  }
  const value = async (name: string, args?: Readonly<Record<string, unknown>>) => {
    const { isError, text } = await call(name, args)
    if (isError) throw new Error(text)
    return JSON.parse(text)
  }
  return { client, call, value, close }
}

/** All that is in a database, but not who uses keys of personal fields: whoever reads such a field says so there. */
export function contentsOf(database: string): string {
  const db = new DatabaseSync(database, { readOnly: true })
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all()
    const contents = tables.map(({ name }) => [name, db.prepare(`SELECT * FROM "${name}"`).all().filter(isContent)])
    return JSON.stringify(contents)
  } finally {
    db.close()
  }
}

const isContent = ({ projection, key, name }: Record<string, unknown>): boolean =>
  !(projection === 'personal keys' && String(key).startsWith('holder ')) && name !== 'personal keys'
