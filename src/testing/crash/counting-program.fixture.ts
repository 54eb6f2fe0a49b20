/** A program that writes numbers into a file, and tells each one when it is there. Not part of the library. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { crashProgram } from './crash-program.ts'

await crashProgram(async ({ data: { path, does }, random, tell }) => {
  if (does === 'end') return
  if (does === 'throw') throw new Error('it does not work')
  if (does === 'print') process.stdout.write('hello\n')
  if (does !== undefined) await new Promise(() => undefined)
  const written = existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
  for (let n = written; ; n++) {
    appendFileSync(path, `${n}\n`)
    tell({ n })
    if (random.chance(0.2)) await new Promise(setImmediate)
  }
})
