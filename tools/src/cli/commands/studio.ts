/** `mneme studio`: shows the log in a browser, until it is interrupted. */
import type { Command } from 'commander'
import { whole } from '../arguments.ts'
import { type CommonOptions, type Runtime, sessionOf, withCommonOptions, withStore } from '../session.ts'

interface StudioCommandOptions extends CommonOptions {
  readonly port?: number
  readonly allowProduction?: boolean
  readonly write?: boolean
}

export function addStudio(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('studio'))
    .description('show the log in a browser on this machine')
    .option('--port <port>', 'the port, 4611 by default; 0 for any that is free', whole)
    .option('--allow-production', 'start it also where NODE_ENV is production')
    .option('--write', 'let it send commands and manage projections and reactions; otherwise it only reads')
    .action((options: StudioCommandOptions) =>
      withStore(sessionOf(runtime, options), options, async ({ inspection, output, signal }) => {
        // Only this command needs it, and it loads much.
        const { startStudio } = await import('../../studio/index.ts')
        const { port, allowProduction = false, write: isWritable = false } = options
        const isAllowedInProduction = allowProduction
        await using studio = await startStudio(inspection, {
          isAllowedInProduction,
          isWritable,
          ...(port !== undefined && { port }),
        })
        const { address } = studio
        await output.result({ address }, `The studio is at ${output.style('underline', address)}`)
        output.note(
          `${isWritable ? 'It can send commands and manage projections and reactions.' : 'It only reads.'} Ctrl+C ends it.`,
        )
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      }),
    )
}
