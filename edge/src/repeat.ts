/** Does something now and every so often until it is stopped; `stop` waits for what is being done. */
export function repeat(
  everyMs: number,
  work: (signal: AbortSignal) => Promise<void>,
): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const { signal } = stopping
  let last = work(signal)
  const timer = setInterval(() => {
    last = last.then(() => work(signal))
  }, everyMs)
  return {
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await last
    },
  }
}
