// Completion scripts for bash, zsh and fish, as text. A script knows every command, option and value by itself: no key stroke
// starts the program.

export interface CompletedOption {
  /** Without the dashes. */
  readonly name: string;
  readonly short?: string | undefined;
  readonly takesValue: boolean;
  readonly repeatable: boolean;
  /** What the value may be. Absent: anything, for which files are offered. One that ends with "=" goes on. */
  readonly values?: readonly string[] | undefined;
}

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  /** What stands after the command's name. Empty: files are offered. */
  readonly words: readonly string[];
  readonly options: readonly CompletedOption[];
}

const flagsOf = ({ name, short }: CompletedOption): string[] => [`--${name}`, ...(short ? [`-${short}`] : [])];
const goesOn = (values: readonly string[]): boolean => values.every((value) => value.endsWith("="));

export function bashScript(commands: readonly CompletedCommand[]): string {
  const values = commands.flatMap((command) =>
    command.options.flatMap((option) => {
      if (option.values === undefined) return [];
      const places = flagsOf(option).map((flag) => `"${command.name} ${flag}"`);
      const stay = goesOn(option.values) ? "compopt -o nospace 2>/dev/null; " : "";
      return `    ${places.join("|")}) ${stay}_sortie_offer ${option.values.join(" ")}; return ;;`;
    }),
  );
  const anything = commands.flatMap((command) =>
    command.options
      .filter(({ takesValue, values }) => takesValue && values === undefined)
      .flatMap(flagsOf)
      .map((flag) => `"${command.name} ${flag}"`),
  );
  const options = commands.map(
    ({ name, options }) => `      ${name}) _sortie_offer ${[...options.flatMap(flagsOf), "--help"].join(" ")} ;;`,
  );
  const words = commands
    .filter(({ words }) => words.length > 0)
    .map(({ name, words }) => `      ${name}) (( COMP_CWORD == 2 )) && _sortie_offer ${words.join(" ")} ;;`);
  return `# Completion of sortie for bash.
_sortie_offer() {
  COMPREPLY=($(compgen -W "$*" -- "$_sortie_word"))
}

_sortie() {
  local _sortie_word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}"
  COMPREPLY=()
  # Bash takes the sign of --option=value for a word of its own.
  if [[ $_sortie_word == "=" ]]; then
    _sortie_word=""
  elif [[ $before == "=" ]]; then
    before="\${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  if (( COMP_CWORD == 1 )); then
    _sortie_offer ${[...commands.map(({ name }) => name), "--help", "--version"].join(" ")}
    return
  fi
  case "\${COMP_WORDS[1]} $before" in
${values.join("\n")}
    ${anything.join("|")}) return ;;
  esac
  if [[ $_sortie_word == -* ]]; then
    case "\${COMP_WORDS[1]}" in
${options.join("\n")}
    esac
  else
    case "\${COMP_WORDS[1]}" in
${words.join("\n")}
    esac
  fi
}

complete -o default -F _sortie sortie
`;
}

/** In single quotes for a POSIX shell and zsh. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export function zshScript(commands: readonly CompletedCommand[]): string {
  const specOf = (option: CompletedOption): string => {
    const flags = flagsOf(option);
    // A flag that is given once is not offered again; neither is its short form.
    const head = option.repeatable ? "*" : `(${flags.join(" ")})`;
    const { values } = option;
    const action =
      values === undefined
        ? "_files"
        : goesOn(values)
          ? `{compadd -S "" -- ${values.join(" ")}}`
          : `(${values.join(" ")})`;
    const value = option.takesValue ? `:${option.name}:${action}` : "";
    return flags.map((flag) => quoted(`${head}${flag}${value}`)).join(" ");
  };
  const cases = commands.map(({ name, words, options }) => {
    const first = words.length > 0 ? `'1:word:(${words.join(" ")})' ` : "";
    const specs = [...options.map(specOf), "'(--help -h)--help'", `${first}'*:file:_files'`];
    return `    ${name}) _arguments \\\n      ${specs.join(" \\\n      ")} ;;`;
  });
  return `#compdef sortie
# Completion of sortie for zsh.
_sortie() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}

if [ "$funcstack[1]" = "_sortie" ]; then
  _sortie "$@"
else
  compdef _sortie sortie
fi
`;
}

export function fishScript(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, summary, words, options }) => {
    const within = `complete -c sortie -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c sortie -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(summary)}`,
      ...(words.length > 0 ? [`${within} -f -a '${words.join(" ")}'`] : []),
      ...options.map(({ name: option, short, takesValue, values }) => {
        const flags = `-l ${option}${short ? ` -s ${short}` : ""}`;
        const value = values !== undefined ? ` -x -a '${values.join(" ")}'` : takesValue ? " -r" : "";
        return `${within} ${flags}${value}`;
      }),
      `${within} -l help -s h`,
    ];
  });
  return `# Completion of sortie for fish.
${lines.join("\n")}
`;
}

const fishQuoted = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
