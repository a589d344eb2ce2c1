/** The part of `fetch` used towards workers; each platform brings its own. */
export type WorkerFetch = (url: string, init: WorkerRequest) => Promise<WorkerResponse>

export interface WorkerRequest {
  method: 'GET' | 'POST'
  headers: Record<string, string>
  body?: string
  signal: AbortSignal
  /** A worker has no say in where else the edge goes. */
  redirect?: 'manual'
}

export interface WorkerResponse {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: ReadableStream<Uint8Array> | null
}

/**
 * Fetches until the headers are there. The signal governs the body too, the time limit does not.
 * Rejects with the signal's reason or whatever `fetch` or the limit rejects with.
 */
export async function fetchWithin(
  fetch: WorkerFetch,
  url: string,
  { answerMs, ...request }: WorkerRequest & { answerMs: number },
): Promise<WorkerResponse> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new Error(`no answer in ${answerMs} ms`)), answerMs)
  try {
    const signal = AbortSignal.any([request.signal, late.signal])
    return await fetch(url, { ...request, redirect: 'manual', signal })
  } finally {
    clearTimeout(timer)
  }
}

/** Passes a body on; fails when it stays silent, heartbeats missing too, for `silenceMs`. */
export async function* watchSilence(
  body: ReadableStream<Uint8Array>,
  silenceMs: number,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  try {
    for (;;) {
      const next = await readWithin(reader, silenceMs)
      if (next.done) return
      yield next.value
    }
  } finally {
    void reader.cancel().catch(() => undefined)
  }
}

function readWithin<Chunk>(reader: { read(): Promise<Chunk> }, silenceMs: number): Promise<Chunk> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`silent for ${silenceMs} ms`)), silenceMs)
    const settle = () => clearTimeout(timer)
    reader.read().then(resolve, reject).finally(settle)
  })
}
