import { parseArgs, type ParseArgsConfig } from 'node:util'

/**
 * The command line of a program of this folder. What the program does not know ends it with one line that lists what it
 * knows, and so does `--help`; what each option means is said where the program's file begins.
 */
export function commandLine<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    if (!isUsageError(error)) throw error
    const isHelp = process.argv.includes('--help')
    const options = describeOptions(config.options ?? {})
    process.stderr.write(isHelp ? `${options}\n` : `${error.message.split('. ')[0]}. ${options}\n`)
    process.exit(isHelp ? 0 : 1)
  }
}

export function describeOptions(options: NonNullable<ParseArgsConfig['options']>): string {
  const described = Object.entries(options).map(([name, { type, default: value }]) => {
    if (type === 'boolean') return `--${name}`
    return value === undefined ? `--${name} VALUE` : `--${name} VALUE (${String(value)})`
  })
  return described.length === 0 ? 'It has no options.' : `Options: ${described.join(', ')}`
}

function isUsageError(error: unknown): error is Error {
  return error instanceof Error && String(Reflect.get(error, 'code')).startsWith('ERR_PARSE_ARGS')
}
