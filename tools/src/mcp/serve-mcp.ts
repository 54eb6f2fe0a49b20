/**
 * The log and the domain for programs that speak the Model Context Protocol, over the standard input and output. It
 * only reads, unless it is told that it may send commands. Every answer is bounded (`bounds.ts`), and personal values
 * are `[personal]`.
 */
import { once } from 'node:events'
import { type CallToolResult, McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { ToolsError } from '../errors.ts'
import type { Inspection } from '../inspection/index.ts'
import { told } from './bounds.ts'
import { commandTools } from './command-tools.ts'
import { domainTools } from './domain-tools.ts'
import { logTools } from './log-tools.ts'
import type { Tool } from './tool.ts'

export interface McpOptions {
  /** Whether commands may be sent. */
  readonly isWriting: boolean
  /** The version that is told to the client. */
  readonly version: string
  readonly signal: AbortSignal
  /** Is told what cannot be answered to anybody, such as a message that is no JSON. */
  readonly onError: (error: Error) => void
}

/** How many calls may be worked on at the same time. Each may hold a copy of a stream. */
const callsMax = 8

const instructions =
  'A log of events and the domain that made it. Begin with catalogue. Answers are bounded: a cursor in an answer means ' +
  'that there is more; give it to the same tool with the same arguments. Personal values are shown as [personal].'

/** Serves until the client ends the connection, or the signal is aborted. */
export async function serveMcp(inspection: Inspection, options: McpOptions): Promise<void> {
  const { isWriting, signal, onError } = options
  const tools = [...logTools, ...domainTools, ...commandTools].filter((tool) => isWriting || !tool.isWriting)
  const call = callerOf(inspection)
  const handle = serveStdio(() => serverOf(tools, call, options.version), { onerror: onError })
  try {
    if (!process.stdin.readableEnded) await once(process.stdin, 'close', { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await handle.close()
  }
}

type CallTool = (tool: Tool, input: unknown, signal: AbortSignal) => Promise<CallToolResult>

function serverOf(tools: readonly Tool[], call: CallTool, version: string): McpServer {
  const server = new McpServer({ name: 'mneme', version }, { instructions })
  for (const tool of tools) {
    const { name, description, input: inputSchema, isWriting } = tool
    const annotations = { readOnlyHint: !isWriting, destructiveHint: false, openWorldHint: false }
    server.registerTool(name, { description, inputSchema, annotations }, (input, context) =>
      call(tool, input, context.mcpReq.signal),
    )
  }
  return server
}

/** Calls a tool. What it throws is an answer too, which says what to do. */
function callerOf(inspection: Inspection): CallTool {
  let calls = 0
  return async (tool, input, signal) => {
    try {
      if (calls >= callsMax) {
        throw new ToolsError('TOO_MANY', `More than ${callsMax} calls at the same time`, {
          advice: 'Wait for the answers, then call again',
        })
      }
      calls++
      try {
        const text = JSON.stringify(await tool.answer({ input, inspection, signal }))
        return { content: [{ type: 'text', text }] }
      } finally {
        calls--
      }
    } catch (error) {
      return { content: [{ type: 'text', text: JSON.stringify(told(error)) }], isError: true }
    }
  }
}
