#!/usr/bin/env node
/** Starts `create-mneme`. */
import { fileURLToPath } from 'node:url'
import { run } from './run.ts'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(`create-mneme: Mneme needs Node 22.18 or newer, and this is ${process.versions.node}.\n`)
  process.exitCode = 1
} else {
  const template = fileURLToPath(new URL('../template', import.meta.url))
  const { stdin: input, stdout: output, stderr: errors } = process
  process.exitCode = await run(process.argv.slice(2), template, { input, output, errors })
}
