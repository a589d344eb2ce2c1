import process from 'node:process'

const CTRL_C = '\u0003'

/**
 * Runs `work` with Ctrl-C, or the end of whoever reads the output, as a signal to it instead of the end of everything. In
 * a terminal the key is read as such: as a signal it would also reach the processes that started this one, npx for
 * instance, and they would leave.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const interrupt = (): void => controller.abort()
  const onData = (data: Buffer): void => {
    if (data.includes(CTRL_C)) interrupt()
  }
  const { stdin, stdout } = process
  stdout.once('error', interrupt)
  process.once('SIGINT', interrupt)
  if (stdin.isTTY) stdin.setRawMode(true).on('data', onData).resume()
  try {
    return await work(controller.signal)
  } finally {
    stdout.off('error', interrupt)
    process.off('SIGINT', interrupt)
    if (stdin.isTTY) stdin.off('data', onData).setRawMode(false).pause()
  }
}
