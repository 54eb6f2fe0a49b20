/** `mneme dev`: runs the domain with the studio, and again after each change of a file. */
import type { Command } from 'commander'
import { whole } from '../arguments.ts'
import { type CommonOptions, type Runtime, sessionOf, withCommonOptions } from '../session.ts'

interface DevOptions extends CommonOptions {
  readonly port?: number
  readonly allowProduction?: boolean
  readonly write?: boolean
}

export function addDev(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('dev'))
    .description('run the domain with the studio, and again after each change of a file')
    .option('--port <port>', 'the port, 4611 by default; 0 for any that is free', whole)
    .option('--allow-production', 'start it also where NODE_ENV is production')
    .option('--write', 'let the studio send commands')
    .action(async ({ port, allowProduction = false, write: isWritable = false, json, ...target }: DevOptions) => {
      // Only this command needs it, and it loads much.
      const { supervise } = await import('../../dev/index.ts')
      const { output, signal } = sessionOf(runtime, { ...target, ...(json !== undefined && { json }) })
      await supervise({
        target,
        isAllowedInProduction: allowProduction,
        isWritable,
        port,
        signal,
        reporting: {
          started(address) {
            void output.result({ address }, `The studio is at ${output.style('underline', address)}`)
            output.note('The domain runs: its projections and reactions too. Ctrl+C ends it.')
          },
          changed: (paths) => output.note(`Changed: ${paths.join(', ')}`),
          broken: (message) => output.note(`${message}\nWaiting for a change.`),
        },
      })
    })
}
