/** Runs the program several times, one after the other, in one process: most of a short run is the start of Node. */
import { run } from '../../../tools/src/cli/program.ts'

// Each run listens to them, and here they are many.
for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0)

const ends: number[] = []
for (const args of JSON.parse(process.argv[2]!) as readonly (readonly string[])[]) {
  ends.push(await run(args))
  for (const stream of [process.stdout, process.stderr]) stream.write('\0')
}
process.stdout.write(JSON.stringify(ends))
