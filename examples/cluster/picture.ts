/** Draws which node owns which of the 256 shards of the accounts. */
import { styleText } from 'node:util'
import type { DemoNode } from './nodes.ts'

const colours = ['cyan', 'magenta', 'yellow', 'green', 'blue'] as const
const shardsInALine = 64

/** The colour of a node, where the terminal has colours. */
function paint(letter: string, text: string): string {
  return styleText(colours[letter.charCodeAt(0) % colours.length]!, text, { stream: process.stdout })
}

/** The shards of the accounts, a letter for the owner of each, and how many each node has. */
export function picture(nodes: readonly DemoNode[]): readonly string[] {
  const { owners } = nodes[0]!.status!
  const shards = owners['account']!
  const letterOf = new Map(nodes.map(({ letter, status }) => [status!.self, letter]))
  const letters = shards.map((owner) => letterOf.get(owner ?? '') ?? '.')
  const lines: string[] = []
  for (let from = 0; from < letters.length; from += shardsInALine) {
    const line = letters.slice(from, from + shardsInALine)
    lines.push(line.map((letter) => paint(letter, letter)).join(''))
  }
  const counts = nodes.map(({ letter }) => {
    const count = letters.filter((one) => one === letter).length
    return paint(letter, `${letter} ${count}`)
  })
  return [...lines, `${counts.join('   ')}   shards of ${letters.length}`]
}
