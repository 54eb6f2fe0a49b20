/**
 * Writes the reference of the API, `docs/reference/`, from the declarations and docstrings of the sources: a page for
 * each entry of the packages. `npm run reference` brings it up to date, and a test says when it is not.
 *
 * Declarations are shown as they stand in the sources, which have explicit types, without bodies and without what is
 * marked as internal. The parser is the compiler's own; its interface is unstable, and its version is pinned.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast'
import {
  isClassDeclaration,
  isClassStaticBlockDeclaration,
  isExportDeclaration,
  isFunctionDeclaration,
  isInterfaceDeclaration,
  isNamedExports,
  isPropertyDeclaration,
  isStringLiteral,
  isTypeAliasDeclaration,
  isVariableStatement,
} from 'typescript/unstable/ast/is'
import { parse } from '../test/support/source.ts'
import { asInstalled, root } from './package.ts'

interface Entry {
  readonly name: string
  readonly file: string
}

/** The entries of both packages. */
function entriesOf(): readonly Entry[] {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, string>>
  }
  const library = Object.entries(exports).map(([subpath, target]) => ({
    name: `mneme${subpath.slice(1)}`,
    file: target.replace('./dist/', 'src/').replace(/\.js$/, '.ts'),
  }))
  return [...library, { name: 'mneme-tools', file: 'tools/src/index.ts' }]
}

/** The page of an entry: `mneme/http/client` is `mneme-http-client.md`. */
const pageOf = (name: string): string => `${name.replaceAll('/', '-')}.md`

/** A file of code with its statements. */
interface Module {
  readonly text: string
  readonly syntax: SourceFile
}

/** Something that an entry exports, by the name that it has there. */
interface Exported {
  readonly name: string
  readonly module: Module
  readonly nodes: readonly Node[]
}

/** Parses files when they are first needed, many at once. */
class Modules {
  readonly #known = new Map<string, Module>()

  constructor(entries: readonly Entry[]) {
    let wanted = new Set(entries.map(({ file }) => file))
    while (wanted.size > 0) {
      const texts = Object.fromEntries([...wanted].map((file) => [file, readFileSync(join(root, file), 'utf8')]))
      const next = new Set<string>()
      for (const { path, text, syntax } of parse(texts)) {
        this.#known.set(path, { text, syntax })
        for (const statement of syntax.statements) {
          const target = isExportDeclaration(statement) ? targetOf(path, statement.moduleSpecifier) : undefined
          if (target !== undefined && !this.#known.has(target)) next.add(target)
        }
      }
      for (const file of this.#known.keys()) next.delete(file)
      wanted = next
    }
  }

  /** All that a file exports, also what it passes on. */
  exportsOf(file: string): readonly Exported[] {
    const module = this.#known.get(file)!
    const found = new Map<string, Exported>()
    for (const statement of module.syntax.statements) {
      if (isExportDeclaration(statement)) {
        const target = targetOf(file, statement.moduleSpecifier)
        if (target === undefined) continue
        const all = this.exportsOf(target)
        const { exportClause } = statement
        if (exportClause === undefined) for (const each of all) found.set(each.name, each)
        else if (isNamedExports(exportClause)) {
          for (const { name, propertyName } of exportClause.elements) {
            const each = all.find((other) => other.name === (propertyName ?? name).text)
            if (each !== undefined) found.set(name.text, { ...each, name: name.text })
          }
        }
      } else {
        for (const name of namesOf(statement)) {
          const nodes = [...(found.get(name)?.nodes ?? []), statement]
          found.set(name, { name, module, nodes })
        }
      }
    }
    return [...found.values()]
  }
}

function targetOf(file: string, specifier: Node | undefined): string | undefined {
  if (specifier === undefined || !isStringLiteral(specifier) || !specifier.text.startsWith('.')) return undefined
  return posix.join(posix.dirname(file), specifier.text)
}

/** The names that a statement exports. */
function namesOf(statement: Node): readonly string[] {
  const { modifiers } = statement as { readonly modifiers?: readonly Node[] }
  if (modifiers?.some(({ kind }) => kind === SyntaxKind.ExportKeyword) !== true) return []
  if (isVariableStatement(statement)) {
    return statement.declarationList.declarations.map((each) => each.name.getText())
  }
  const { name } = statement as { readonly name?: Node }
  return name === undefined ? [] : [name.getText()]
}

/** The docstring before a node, without its marks; empty if it has none. */
function docOf({ text }: Module, node: Node): string {
  const before = text.slice(node.pos, node.getStart())
  const last = before.lastIndexOf('/**')
  if (last === -1) return ''
  const comment = before.slice(last + 3, before.indexOf('*/', last))
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
  return lines.join('\n').trim()
}

const isInternal = (module: Module, node: Node): boolean => docOf(module, node).includes('@internal')

/** A declaration as a reader of types sees it. */
function declarationOf(module: Module, node: Node): string {
  const { text } = module
  const until = (end: number) => text.slice(node.getStart(), end).trimEnd()
  const whole = until(node.end)
  if (isFunctionDeclaration(node)) return node.body === undefined ? whole : until(node.body.getStart())
  if (isVariableStatement(node)) {
    const [declaration] = node.declarationList.declarations
    return declaration?.initializer === undefined
      ? whole
      : until(declaration.initializer.getStart()).replace(/\s*=$/, '')
  }
  if (isInterfaceDeclaration(node)) return withMembers(module, node, node.members)
  if (isClassDeclaration(node)) return withMembers(module, node, node.members)
  return whole
}

/** A class or interface with those of its members that everybody may use. */
function withMembers(module: Module, node: Node, members: readonly Node[]): string {
  const { text } = module
  const first = members[0]
  if (first === undefined) return text.slice(node.getStart(), node.end)
  const head = text.slice(node.getStart(), first.pos).trimEnd()
  const shown = members.filter((member) => !isInternal(module, member) && !isHidden(member))
  return `${head}\n${shown.map((member) => memberOf(module, member)).join('')}}`
}

function isHidden(member: Node): boolean {
  const { name, modifiers } = member as { readonly name?: Node; readonly modifiers?: readonly Node[] }
  if (isClassStaticBlockDeclaration(member)) return true
  const isPrivate = modifiers?.some(({ kind }) => kind === SyntaxKind.PrivateKeyword) === true
  return isPrivate || (name?.getText().startsWith('#') ?? false)
}

/** A member with its docstring, without a body. */
function memberOf({ text }: Module, member: Node): string {
  const { body } = member as { readonly body?: Node }
  const value = isPropertyDeclaration(member) && member.initializer
  const end = body ? body.getStart() : value ? value.getStart() : member.end
  const full = text.slice(member.pos, end).trimEnd()
  return `${(value ? full.replace(/\s*=$/, '') : full).replace(/^\n+/, '')}\n`
}

const kindOf = (node: Node): string => {
  if (isFunctionDeclaration(node)) return 'function'
  if (isClassDeclaration(node)) return 'class'
  if (isInterfaceDeclaration(node)) return 'interface'
  return isTypeAliasDeclaration(node) ? 'type' : 'constant'
}

const columnsMax = 118

/** Tags of a docstring as a list: what is thrown, what is returned. */
function prose(doc: string): string {
  const [text = '', ...tags] = doc.split(/\n?^@(?=param|returns|throws)/m)
  const items = tags.map((tag) => {
    const [, word = '', rest = ''] = /^(\w+)\s*([\s\S]*)$/.exec(tag)!
    const named = word === 'param' ? rest.replace(/^(\S+)/, '`$1`:') : `${word}: ${rest}`
    return wrapped(`- ${named.replaceAll(/\s+/g, ' ').trim()}`)
  })
  return [withFences(text.trim()), items.join('\n')].filter(Boolean).join('\n\n')
}

/** Examples, which docstrings indent, as blocks of code. */
const withFences = (text: string): string =>
  text.replaceAll(/(?<=^|\n\n)( {4}.*(?:\n+ {4}.*)*)/g, (code: string) => {
    return `\`\`\`ts\n${code.replaceAll(/^ {4}/gm, '')}\n\`\`\``
  })

function wrapped(line: string): string {
  const lines: string[] = ['']
  for (const word of line.split(' ')) {
    const last = lines.at(-1)!
    if (last !== '' && last.length + word.length >= columnsMax) lines.push(`  ${word}`)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines.join('\n')
}

function sectionOf({ name, module, nodes }: Exported): string {
  const overloads = nodes.filter((node) => !isFunctionDeclaration(node) || node.body === undefined)
  const shown = overloads.length > 0 ? overloads : nodes
  const docs = [...new Set(nodes.map((node) => docOf(module, node)).filter(Boolean))].map(prose)
  const code = shown.map((node) => declarationOf(module, node).replace(/^export (declare )?/, '')).join('\n')
  return [`## ${name}`, `*${kindOf(nodes[0]!)}*`, ...docs, `\`\`\`ts\n${asInstalled(code)}\n\`\`\``].join('\n\n')
}

/** All pages, by their paths. */
export function referencePages(): ReadonlyMap<string, string> {
  const entries = entriesOf()
  const modules = new Modules(entries)
  const pages = new Map<string, string>()
  const index: string[] = []
  const seen = new Map<string, string>()
  for (const { name, file } of entries) {
    const header = /^\/\*\*\s*(?<text>.*?)\s*\*\//s.exec(readFileSync(join(root, file), 'utf8'))?.groups?.['text'] ?? ''
    const about = header.replaceAll(/\n \* ?/g, '\n')
    const all = modules.exportsOf(file).filter(({ module, nodes }) => !nodes.some((node) => isInternal(module, node)))
    const own = all.filter((each) => !seen.has(each.name) || name !== 'mneme-tools')
    for (const each of own) seen.set(each.name, name)
    const sections = own.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(sectionOf)
    pages.set(
      `docs/reference/${pageOf(name)}`,
      `# Reference: ${name}\n\n${[about, ...sections].filter(Boolean).join('\n\n')}\n`,
    )
    const names = own
      .map((each) => each.name)
      .filter((each) => /^[a-z]/.test(each))
      .toSorted()
    index.push(wrapped(`- [${name}](${pageOf(name)}): ${names.map((each) => `\`${each}\``).join(', ') || 'types'}`))
  }
  const intro =
    'What each entry exports, as it is declared, with its docstrings. The [guide](../../README.md#read-on) explains it.'
  pages.set('docs/reference/README.md', `# Reference\n\n${intro}\n\n${index.join('\n')}\n`)
  return pages
}

if (import.meta.main) {
  const folder = join(root, 'docs/reference')
  const pages = referencePages()
  mkdirSync(folder, { recursive: true })
  for (const file of readdirSync(folder)) if (!pages.has(`docs/reference/${file}`)) rmSync(join(folder, file))
  for (const [path, text] of pages) {
    const isSame = existsSync(join(root, path)) && readFileSync(join(root, path), 'utf8') === text
    if (!isSame) writeFileSync(join(root, path), text)
  }
}
