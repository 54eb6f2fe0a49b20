/**
 * Runs the program again and again in one process, in the folders that it is told: most of a short run is the start of
 * Node and of the program. Each run ends its output with a zero.
 */
import { run } from '../../../tools/src/cli/program.ts'

const streams = [process.stdout, process.stderr]
// Each run listens to them, and here they are many.
for (const stream of streams) stream.setMaxListeners(0)

interface Asked {
  readonly folder: string
  readonly runs: readonly (readonly string[])[]
}

process.on('message', async ({ folder, runs }: Asked) => {
  process.chdir(folder)
  const codes: number[] = []
  for (const args of runs) {
    codes.push(await run(args))
    for (const stream of streams) stream.write('\0')
  }
  process.send!(codes)
})
process.on('disconnect', () => process.exit())
