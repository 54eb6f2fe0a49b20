/**
 * What the tidy rules look at: a file's path, its text and its syntax tree, which the compiler's own parser makes, so
 * that no rule guesses where a function ends. Samples and the real tree come in by the same door. The parser's
 * interface is marked unstable by its makers; the compiler's version is pinned, and this is the only file that starts
 * its service.
 */
import type { Node, SourceFile } from 'typescript/unstable/ast'
import { createVirtualFileSystem } from 'typescript/unstable/fs'
import { API } from 'typescript/unstable/sync'

/** A file of code. */
export interface Source {
  /** Relative to the repository, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly syntax: SourceFile
  /** The offsets where the type of something exported is not to be seen in the file alone. */
  readonly inferredExports: () => readonly number[]
}

const files = createVirtualFileSystem({})
/** Started with the first use, ended with the process: ending it earlier makes it complain. */
let service: API | undefined
let projects = 0

/** Parses files that are given by path and text. */
export function parse(texts: Readonly<Record<string, string>>): readonly Source[] {
  const root = `/tidy/${projects++}/`
  const paths = Object.keys(texts)
  const alone = { noLib: true, noResolve: true, types: [], module: 'nodenext', noEmit: true }
  const compilerOptions = { ...alone, allowImportingTsExtensions: true, declaration: true, isolatedDeclarations: true }
  files.writeFile?.(`${root}tsconfig.json`, JSON.stringify({ compilerOptions, files: paths }))
  for (const path of paths) files.writeFile?.(root + path, texts[path]!)
  service ??= new API({ cwd: '/', fs: files })
  const snapshot = service.updateSnapshot({ openProject: `${root}tsconfig.json` })
  const program = snapshot.getProject(`${root}tsconfig.json`)?.program
  return paths.map((path) => {
    const syntax = program?.getSourceFile(root + path)
    if (program === undefined || syntax === undefined) throw new Error(`The compiler does not parse ${path}`)
    const inferredExports = () => program.getDeclarationDiagnostics(root + path).map(({ pos }) => pos)
    return { path, text: texts[path]!, syntax, inferredExports }
  })
}

/** Parses one file. */
export function parseOne(path: string, text: string): Source {
  return parse({ [path]: text })[0]!
}

/** Visits a node and all below it, outermost first, each with its ancestors, nearest first. */
export function visit(node: Node, visitor: (node: Node, ancestors: readonly Node[]) => void): void {
  const descend = (each: Node, ancestors: readonly Node[]): void => {
    visitor(each, ancestors)
    const below = [each, ...ancestors]
    each.forEachChild((child) => descend(child, below))
  }
  descend(node, [])
}

/** The line, counted from 1, on which an offset lies. */
export function lineAt({ text }: Pick<Source, 'text'>, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++
  return line
}

/** The line on which a node begins, its comments left aside. */
export function lineOf(source: Source, node: Node): number {
  return lineAt(source, node.getStart(source.syntax))
}

/** The comment that a file begins with, without its marks; empty if there is none. */
export function headerOf(text: string): string {
  const start = /^(#!.*\n)?(\/\*\*?([\s\S]*?)\*\/|((\/\/.*\n)+))/.exec(text)
  const comment = start?.[3] ?? start?.[4] ?? ''
  return comment.replaceAll(/^[ \t]*(\*|\/\/) ?/gm, '').trim()
}
