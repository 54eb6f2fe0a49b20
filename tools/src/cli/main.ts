#!/usr/bin/env node
/** Starts the program `mneme`. */
import { harmless } from './output.ts'
import { run } from './program.ts'

// Of no use to those who run the program: that Node's SQLite may change, and that it runs TypeScript.
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') process.stderr.write(harmless(`${warning.name}: ${warning.message}\n`))
})

process.exitCode = await run(process.argv.slice(2))
