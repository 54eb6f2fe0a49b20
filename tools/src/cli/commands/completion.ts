/**
 * `mneme completion`: scripts that complete commands and options in bash and zsh. They are made from the commands that
 * there are, and start no program while somebody types.
 */
import { Argument, type Command } from 'commander'
import type { Runtime } from '../session.ts'
import { sessionOf } from '../session.ts'

export function addCompletion(program: Command, runtime: Runtime): void {
  program
    .command('completion')
    .description('print a script that completes commands and options: source <(mneme completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh']))
    .action(async (shell: 'bash' | 'zsh') => {
      const { output } = sessionOf(runtime, {})
      await output.write(shell === 'bash' ? bashScript(program) : zshScript(program))
    })
}

/** A command by its path, such as `projections list`, and the words that can follow. */
interface Completion {
  readonly path: string
  readonly words: readonly string[]
}

function completionsOf(command: Command, path = ''): readonly Completion[] {
  const names = command.commands.map((each) => each.name())
  const options = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]))
  const inner = command.commands.flatMap((each) => completionsOf(each, `${path} ${each.name()}`.trim()))
  // The default of a group takes its options too.
  const fallback = command.commands.find((each) => each.name() === 'list')
  const more = fallback?.options.flatMap(({ long }) => long ?? []) ?? []
  return [{ path, words: [...names, ...new Set([...options, ...more]), '--help'] }, ...inner]
}

/** The words of the command line that name commands, and the words that can follow them, by a `case`. */
function cases(program: Command): string {
  const completions = completionsOf(program)
  const paths = completions.filter(({ path }) => path !== '').map(({ path }) => `"${path}"`)
  const words = completions.map((each) => `    "${each.path}") found="${each.words.join(' ')}" ;;`)
  return `  for word in "\${before[@]}"; do
    case "\${place:+$place }$word" in
      ${paths.join(' | ')}) place="\${place:+$place }$word" ;;
    esac
  done
  case "$place" in
${words.join('\n')}
  esac`
}

const bashScript = (program: Command): string => `# bash completion of mneme
_mneme() {
  local word place= found= before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
${cases(program)}
  COMPREPLY=($(compgen -W "$found" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _mneme mneme
`

const zshScript = (program: Command): string => `#compdef mneme
# zsh completion of mneme
_mneme() {
  local word place= found=
  local -a before=("\${words_before[@]}")
${cases(program)}
  compadd -- \${=found}
  _files
}
_mneme_begin() {
  local -a words_before=("\${(@)words[2,CURRENT-1]}")
  _mneme
}
compdef _mneme_begin mneme
`
