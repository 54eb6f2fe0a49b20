/** The files of the user that this process has loaded. They are the ones to watch. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { LoadedFile } from './messages.ts'

/** The hash of a file as it is now; empty if it cannot be read. */
export function hashOf(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('base64')
  } catch {
    return ''
  }
}

/**
 * Notes each file from now on, before it is loaded, so that a change in between is noticed. Also those that are
 * missing: they may come.
 *
 * @param onFile is told each file once
 */
export function noteLoadedFiles(onFile: (file: LoadedFile) => void): void {
  const noted = new Set<string>()
  const note = (url: string) => {
    if (!url.startsWith('file:') || url.includes('/node_modules/')) return
    const path = fileURLToPath(url)
    if (noted.has(path)) return
    noted.add(path)
    onFile([path, hashOf(path)])
  }
  registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context)
      } catch (error) {
        if (/^\.{0,2}\//.test(specifier) && context.parentURL !== undefined)
          note(new URL(specifier, context.parentURL).href)
        throw error
      }
    },
    load(url, context, next) {
      note(url)
      return next(url, context)
    },
  })
}
