/**
 * The page of the studio: bundles `tools/page` into three files beside the server of the studio, in the repository or
 * in the package. Run by itself, it does so in the repository.
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'

const source = join(import.meta.dirname, '../tools/page')

/** Builds the page into a folder. */
export function buildPage(folder: string): void {
  mkdirSync(folder, { recursive: true })
  buildSync({
    entryPoints: ['main.tsx', 'studio.css'].map((name) => ({ in: join(source, name), out: 'studio' })),
    outdir: folder,
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2023',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    tsconfigRaw: {},
    legalComments: 'none',
  })
  copyFileSync(join(source, 'index.html'), join(folder, 'index.html'))
}

if (import.meta.main) buildPage(join(import.meta.dirname, '../tools/src/studio/page'))
