/** The files of the page. They are made of `tools/page` when the package is built, and lie beside this file. */
import { readFile } from 'node:fs/promises'
import { ToolsError } from '../errors.ts'

export interface PageFile {
  readonly type: string
  readonly body: Buffer
}

const types = {
  'index.html': 'text/html; charset=utf-8',
  'studio.js': 'text/javascript; charset=utf-8',
  'studio.css': 'text/css; charset=utf-8',
}

/** The files by their paths. @throws ToolsError `STUDIO_UNFIT` if they were not built */
export async function pageFiles(
  folder: URL = new URL('./page/', import.meta.url),
): Promise<ReadonlyMap<string, PageFile>> {
  const read = Object.entries(types).map(async ([name, type]) => {
    const body = await readFile(new URL(name, folder)).catch((cause: unknown) => {
      const advice = 'In the repository of Mneme, run npm run page first'
      throw new ToolsError('STUDIO_UNFIT', `The page of the studio was not built: ${name} is missing`, {
        advice,
        cause,
      })
    })
    return [name === 'index.html' ? '/' : `/${name}`, { type, body }] as const
  })
  return new Map(await Promise.all(read))
}
