import process from 'node:process'
import { banner } from './banner.ts'
import { parseOptions, type StartOptions } from './options.ts'
import { repository } from './services.ts'
import { startStack } from './stack.ts'
import { StartError } from './start-error.ts'

const PARENT_POLL_MS = 500

/** Aborts when the person, the system or our parent's death says so; a second time it kills. */
function listenForStop(onSecond: () => void): AbortSignal {
  const controller = new AbortController()
  const ask = (): void => {
    if (controller.signal.aborted) onSecond()
    controller.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask)

  // Nothing tells a process that its parent was killed, but it gets another parent then.
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    ask()
  }, PARENT_POLL_MS)
  watch.unref()
  return controller.signal
}

async function run(options: StartOptions): Promise<void> {
  let kill = (): void => undefined
  const stopSignal = listenForStop(() => {
    kill()
    process.exit(1)
  })
  process.stderr.write(`Starting the worker and the edge (${options.edge}) ...\n`)
  const stack = await startStack(options, stopSignal)
  kill = () => stack.kill()
  process.stdout.write(banner(stack))

  const stopped = new Promise<'stopped'>((resolve) => {
    stopSignal.addEventListener('abort', () => resolve('stopped'))
    if (stopSignal.aborted) resolve('stopped')
  })
  const outcome = await Promise.race([stack.failed, stopped])
  if (outcome === 'stopped') process.stderr.write('Stopping ...\n')
  await stack.stop()
  if (outcome !== 'stopped') throw outcome
}

/**
 * `npm start` and `npx setblock serve`: a worker and an edge on this machine, ready to be tried,
 * gone with Ctrl-C.
 *
 * @returns the exit code.
 */
export async function start(args: readonly string[], usage: string): Promise<number> {
  try {
    const options = parseOptions(args, { env: process.env, repository })
    if (options === 'help') process.stdout.write(`${usage}\n`)
    else await run(options)
    return 0
  } catch (error) {
    // An abort while starting is the person's wish, not a failure.
    if (error instanceof Error && error.name === 'AbortError') return 0
    if (!(error instanceof StartError)) throw error
    process.stderr.write(`setblock: ${error.message}\n`)
    return 1
  }
}
