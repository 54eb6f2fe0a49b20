/** `mneme mcp`: serves the log and the domain by the Model Context Protocol, until the client ends it. */
import type { Command } from 'commander'
import { type CommonOptions, type Runtime, sessionOf, withCommonOptions, withStore } from '../session.ts'
import { version } from '../version.ts'

interface McpCommandOptions extends CommonOptions {
  readonly write?: boolean
}

export function addMcp(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('mcp'))
    .description('serve the log to programs that speak the Model Context Protocol, over stdio; it only reads')
    .option('--write', 'also let them send commands, which the domain decides')
    .action((options: McpCommandOptions) => {
      // The standard output belongs to the protocol. What the code of the domain prints goes elsewhere.
      for (const method of ['log', 'info', 'debug'] as const) console[method] = console.error
      return withStore(sessionOf(runtime, options), options, async ({ inspection, output, signal }) => {
        // Only here, because its packages are large, and no other command needs them.
        const { serveMcp } = await import('../../mcp/index.ts')
        await serveMcp(inspection, {
          isWriting: options.write === true,
          version: version(),
          signal,
          onError: (error) => output.note(`mneme: ${error.message}`),
        })
      })
    })
}
