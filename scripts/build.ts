/** Builds the package into `dist`, from nothing, by the compiler alone. */
import { rmSync } from 'node:fs'
import { build, root } from './package.ts'

rmSync(`${root}dist`, { recursive: true, force: true })
build(`${root}dist`)
