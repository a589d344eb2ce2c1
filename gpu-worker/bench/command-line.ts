import { parseArgs, type ParseArgsConfig } from 'node:util'
import { usageLine } from '../src/server/usage-line.ts'

/**
 * The command line of a program that measures or tests. What the program does not know ends it with one line that lists
 * what it knows, and so does `--help`; what each option means is said where the program's file begins. `argument` names
 * the one argument that a program needs besides options.
 */
export function commandLine<T extends ParseArgsConfig>(
  config: T,
  argument?: string,
): ReturnType<typeof parseArgs<T>> {
  const known = describeOptions(config.options ?? {}, argument)
  try {
    const parsed = parseArgs(config)
    if (argument !== undefined && parsed.positionals.length !== 1) {
      leave(`It needs one ${argument}. ${known}`, 1)
    }
    return parsed
  } catch (error) {
    if (!isUsageError(error)) throw error
    if (process.argv.includes('--help')) leave(known, 0)
    return leave(`${usageLine(error)} ${known}`, 1)
  }
}

export function describeOptions(
  options: NonNullable<ParseArgsConfig['options']>,
  argument?: string,
): string {
  const described = Object.entries(options).map(([name, { type, default: value }]) => {
    if (type === 'boolean') return `--${name}`
    return value === undefined ? `--${name} VALUE` : `--${name} VALUE (${String(value)})`
  })
  const listed = described.length === 0 ? 'It has no options.' : `Options: ${described.join(', ')}`
  return argument === undefined ? listed : `Argument: <${argument}>. ${listed}`
}

/** Ends the program with one line on stderr. */
export function leave(line: string, status: number): never {
  process.stderr.write(`${line}\n`)
  process.exit(status)
}

function isUsageError(error: unknown): error is Error {
  return error instanceof Error && String(Reflect.get(error, 'code')).startsWith('ERR_PARSE_ARGS')
}
