import { isStream } from './run.ts'
import type { AnswerHead, Run } from './run.ts'
import type { StreamHub } from './stream-hub.ts'

const ADVICE = ['x-should-retry', 'retry-after', 'retry-after-ms']

/** Reads an answer to its end, as fast as it comes, into its run. Never rejects. */
export async function recordAnswer(hub: StreamHub, run: Run, answer: Response): Promise<void> {
  const head: AnswerHead = {
    status: answer.status,
    contentType: answer.headers.get('content-type') ?? 'application/octet-stream',
    advice: ADVICE.flatMap((name) => {
      const value = answer.headers.get(name)
      return value === null ? [] : [[name, value] as const]
    }),
  }
  run.begin(head)
  try {
    if (answer.status >= 400) {
      hub.append(run, await answer.text())
      hub.end(run, head, 'refused')
    } else if (isStream(head) && answer.body !== null) {
      const last = await recordEvents(hub, run, answer.body)
      hub.end(run, head, isFailure(last) ? 'failed' : 'done')
    } else {
      hub.append(run, await answer.text())
      hub.end(run, head, 'done')
    }
  } catch {
    // The stream's own log line says why it broke off; to its readers it was cancelled.
    hub.end(run, head, 'cancelled')
  }
}

/** Gives the last event. Comments are left out: readers get keep-alives of their own. */
async function recordEvents(
  hub: StreamHub,
  run: Run,
  body: ReadableStream<Uint8Array>,
): Promise<string> {
  const utf8 = new TextDecoder()
  const reader = body.getReader()
  let rest = ''
  let last = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return last
    const frames = (rest + utf8.decode(value, { stream: true })).split('\n\n')
    rest = frames.pop() ?? ''
    for (const frame of frames) {
      if (frame === '' || frame.startsWith(':')) continue
      last = frame
      hub.append(run, `${frame}\n\n`)
    }
  }
}

/** All forms of a stream say that they failed by an event with an error, which is then the last. */
function isFailure(frame: string): boolean {
  const data = /^data: (.*)$/m.exec(frame)?.[1]
  if (data === undefined || data === '[DONE]') return false
  const payload: unknown = JSON.parse(data)
  return typeof payload === 'object' && payload !== null && 'error' in payload
}
