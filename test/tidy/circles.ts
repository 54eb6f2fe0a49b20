/** Imports that go round: such files cannot be understood one after the other, nor moved alone. */
import { posix } from 'node:path'
import type { Source } from '../support/source.ts'
import { imports } from './layers.ts'
import { isTest } from './rule.ts'

/** Groups of files that reach each other. Types count: a reader follows them too. */
export function fileCircles(sources: readonly Source[]): readonly string[] {
  return circles(graphOf(sources, (path) => path))
}

/** Groups of folders in a folder that reach each other. What lies in the folder itself belongs to none of them. */
export function roomCircles(sources: readonly Source[], folder: string): readonly string[] {
  const roomOf = (path: string): string | undefined => {
    if (!path.startsWith(`${folder}/`)) return undefined
    const [room, ...rest] = path.slice(folder.length + 1).split('/')
    return rest.length > 0 ? room : undefined
  }
  return circles(graphOf(sources, roomOf))
}

type Graph = ReadonlyMap<string, ReadonlySet<string>>

function graphOf(sources: readonly Source[], nodeOf: (path: string) => string | undefined): Graph {
  const graph = new Map<string, Set<string>>()
  for (const source of sources) {
    const from = isTest(source.path) ? undefined : nodeOf(source.path)
    if (from === undefined) continue
    const reached = graph.get(from) ?? new Set()
    graph.set(from, reached)
    for (const { specifier } of imports(source)) {
      if (!specifier.startsWith('.')) continue
      const to = nodeOf(posix.normalize(posix.join(posix.dirname(source.path), specifier)))
      if (to !== undefined && to !== from) reached.add(to)
    }
  }
  return graph
}

/** The strongly connected parts of a graph that have more than one member. */
function circles(graph: Graph): readonly string[] {
  const reachable = new Map([...graph.keys()].map((node) => [node, reachedFrom(graph, node)]))
  const seen = new Set<string>()
  const found: string[] = []
  for (const [node, reached] of reachable) {
    if (seen.has(node) || !reached.has(node)) continue
    const members = [...reached].filter((other) => reachable.get(other)?.has(node)).sort()
    for (const member of members) seen.add(member)
    found.push(members.join(' -> '))
  }
  return found
}

function reachedFrom(graph: Graph, start: string): ReadonlySet<string> {
  const reached = new Set<string>()
  const next = [...(graph.get(start) ?? [])]
  for (let node = next.pop(); node !== undefined; node = next.pop()) {
    if (reached.has(node)) continue
    reached.add(node)
    next.push(...(graph.get(node) ?? []))
  }
  return reached
}
