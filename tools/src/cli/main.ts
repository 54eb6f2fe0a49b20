#!/usr/bin/env node
/** Starts the program `mneme`. */
import { harmless, jsonLine } from './output.ts'
import { run, wantsJson } from './program.ts'

const args = process.argv.slice(2)

// Of no use to those who run the program: that Node's SQLite may change, and that it runs TypeScript.
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  if (warning.name === 'ExperimentalWarning') return
  const note = `${warning.name}: ${warning.message}`
  process.stderr.write(`${wantsJson(args) ? jsonLine({ note }) : harmless(note)}\n`)
})

process.exitCode = await run(args)
