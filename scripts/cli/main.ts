/** `npx setblock <command>`; each command is a file of its own. */
import process from 'node:process'
import { CliError, type Command } from './command.ts'

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  build: async () => (await import('./build.ts')).build,
  chat: async () => (await import('./chat.ts')).chat,
  'install-cuda': async () => (await import('./install-cuda.ts')).installCuda,
  keys: async () => (await import('./keys.ts')).keys,
  serve: async () => (await import('./serve.ts')).serve,
}

const USAGE = `npx setblock <command> [options]

  ${Object.keys(COMMANDS).join('\n  ')}

npx setblock <command> --help tells more.`

async function main([name = '--help', ...args]: readonly string[]): Promise<number> {
  if (name === '--help') {
    process.stdout.write(`${USAGE}\n`)
    return 0
  }
  try {
    const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (load === undefined) throw new CliError(`there is no command ${name}. ${USAGE}`)
    const { usage, run } = await load()
    if (!args.includes('--help')) return await run(args)
    process.stdout.write(`${usage}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    process.stderr.write(`setblock: ${error.message}\n`)
    return 1
  }
}

// Who has read enough closes the pipe (`| head`): the end of our output, and no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
process.exitCode = await main(process.argv.slice(2))
