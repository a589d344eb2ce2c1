/** Spans of a real edge and a real worker, as a collector for OTLP gets them, and the logs of both. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MODEL, stackUnderTest } from '../e2e/stack-under-test.ts'
import { startOtlpReceiver, type ReceivedSpan } from './otlp-receiver.ts'

const CHAT = '/v1/chat/completions'
const CANARY = 'canary'
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const POLL_MS = 50
/** Clocks of two processes on one machine, and rounding. */
const SLACK_MS = 5

const receiver = await startOtlpReceiver()
process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = receiver.url
process.env['OTEL_BSP_SCHEDULE_DELAY'] = '200'

describe('one request through edge and worker', { timeout: 120_000 }, () => {
  const under = stackUnderTest('node')
  after(() => receiver.close())

  const ask = (change: object, headers: Record<string, string> = {}) =>
    under.post(
      CHAT,
      {
        model: MODEL,
        messages: [{ role: 'user', content: `Tell me a story about a ${CANARY}.` }],
        max_tokens: 80,
        ...change,
      },
      headers,
    )

  /** The spans of a trace, once there are as many as are waited for. */
  async function spansOf(traceId: string, count: number): Promise<ReceivedSpan[]> {
    for (;;) {
      const found = receiver.spans.filter((span) => span.traceId === traceId)
      if (found.length >= count) return found
      await sleep(POLL_MS)
    }
  }

  /** Lines of both logs that carry a request id, once there are as many as are waited for. */
  async function linesOf(requestId: string, count: number): Promise<Record<string, unknown>[]> {
    for (;;) {
      const lines = (await logLines()).filter((line) => line['requestId'] === requestId)
      if (lines.length >= count) return lines
      await sleep(POLL_MS)
    }
  }

  async function logText(): Promise<string> {
    const folder = under.stack.logFolder
    const files = await readdir(folder)
    const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')))
    return texts.join('')
  }

  async function logLines(): Promise<Record<string, unknown>[]> {
    const lines = (await logText()).split('\n').filter((line) => line.startsWith('{'))
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  test('is one tree of spans over both processes, below the client’s own', async () => {
    const clientSpan = '00f067aa0ba902b7'
    const traceparent = `00-${TRACE}-${clientSpan}-01`
    const tracestate = 'vendor=place,other=1'
    const headers = { traceparent, tracestate }
    const answer = await ask({ stream: true, session: `${CANARY}-session` }, headers)
    await answer.text()
    const spans = await spansOf(TRACE, 9)
    const byId = new Map(spans.map((span) => [span.spanId, span]))
    const find = (service: string, name: string): ReceivedSpan => {
      const found = spans.filter((span) => span.service === service && span.name === name)
      assert.equal(found.length, 1, `${service} ${name}`)
      return found[0]!
    }
    const request = find('setblock-edge', `POST ${CHAT}`)
    assert.equal(request.parentSpanId, clientSpan)
    assert.equal(find('setblock-edge', 'tokenize').parentSpanId, request.spanId)
    const asked = find('setblock-edge', 'job')
    assert.equal(asked.parentSpanId, request.spanId)
    const job = find('setblock-worker', 'job')
    assert.equal(job.parentSpanId, asked.spanId)
    for (const name of ['restore', 'queue', 'prefill', 'decode', 'save']) {
      assert.equal(find('setblock-worker', name).parentSpanId, job.spanId, name)
    }
    for (const span of spans) {
      assert.equal(span.traceState, tracestate, `${span.service} ${span.name}`)
      const parent = byId.get(span.parentSpanId)
      assert.ok(span.endMs >= span.startMs, span.name)
      if (parent === undefined) continue
      assert.ok(span.startMs >= parent.startMs - SLACK_MS, `${span.name} begins too early`)
    }
    const decode = find('setblock-worker', 'decode')
    assert.equal(Number(decode.attributes['gen_ai.usage.output_tokens']), 80)
    assert.ok(Number(decode.attributes['setblock.forwards']) > 0)
    assert.ok(decode.events.length > 0 && decode.events.length <= 32)
    assert.ok(decode.events.every(({ name }) => name === 'step'))
    assert.equal(request.attributes['setblock.outcome'], 'done')
  })

  test('that begins no trace gets one of its own, and one not sampled leaves none', async () => {
    const unsampled = TRACE.replaceAll('4', '5')
    await (await ask({}, { traceparent: `00-${unsampled}-00f067aa0ba902b7-00` })).text()
    const known = new Set(receiver.spans.map(({ traceId }) => traceId))
    await (await ask({})).text()
    const isNew = ({ traceId }: ReceivedSpan): boolean => !known.has(traceId) && traceId !== TRACE
    while (!receiver.spans.some(isNew)) await sleep(POLL_MS)
    const root = receiver.spans.find((span) => isNew(span) && span.name === `POST ${CHAT}`)
    assert.equal(root?.parentSpanId ?? '', '')
    assert.ok(receiver.spans.every(({ traceId }) => traceId !== unsampled))
  })

  test('leaves one line in each log, under one request id', async () => {
    await (await ask({ stream: true, gamma: 0.35 }, { 'x-request-id': 'req-of-the-test' })).text()
    const [edge, worker] = (await linesOf('req-of-the-test', 2)).sort((a) =>
      a['event'] === 'request' ? -1 : 1,
    )
    for (const [name, value] of Object.entries({
      level: 'info',
      event: 'request',
      route: CHAT,
      status: 200,
      outcome: 'done',
      mode: 'sbd',
      gamma: 0.35,
      completionTokens: 80,
    })) {
      assert.equal(edge?.[name], value, name)
    }
    for (const [name, value] of Object.entries({
      level: 'info',
      event: 'job',
      model: MODEL,
      mode: 'sbd',
      gamma: 0.35,
      outcome: 'length',
      code: null,
      tokens: 80,
      effectiveGamma: 0.35,
    })) {
      assert.equal(worker?.[name], value, name)
    }
    assert.equal(worker?.['job'], edge?.['job'])
    for (const line of [edge, worker]) {
      assert.ok(Number(line?.['ttftMs']) > 0)
      assert.ok(Number(line?.['durationMs']) >= Number(line?.['ttftMs']))
    }
  })

  test('leaves a line also when it is refused, or its client leaves', async () => {
    await (await ask({ max_tokens: 30_000 }, { 'x-request-id': 'too-long' })).text()
    const [refused] = await linesOf('too-long', 1)
    assert.deepEqual(
      [refused?.['level'], refused?.['error'], refused?.['status']],
      ['warn', 'context_length_exceeded', 400],
    )
    const gone = new AbortController()
    const response = await fetch(`${under.stack.edgeUrl}${CHAT}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${under.stack.demoKey}`,
        'content-type': 'application/json',
        'x-request-id': 'leaves',
      },
      body: JSON.stringify({
        model: MODEL,
        messages: [{ role: 'user', content: 'Tell me a long story.' }],
        stream: true,
        mode: 'ntp',
        temperature: 1,
        max_tokens: 400,
      }),
      signal: gone.signal,
    })
    await response.body!.getReader().read()
    gone.abort()
    const lines = await linesOf('leaves', 2)
    const job = lines.find((line) => line['event'] === 'job')
    assert.ok(['client-gone', 'length', 'stop'].includes(String(job?.['outcome'])))
  })

  test('nothing of what was said, and no key, is in any log or span', async () => {
    const whole = await ask({ max_tokens: 40, temperature: 1 })
    const { choices } = (await whole.json()) as { choices: { message: { content: string } }[] }
    const answer = choices[0]!.message.content
    await ask({ messages: [{ role: 'user', content: CANARY.repeat(3), name: 1 }] })
    await under.post(CHAT, `{"messages": "${CANARY}`)
    const written = (await logText()) + receiver.bodies.join('')
    assert.ok(written.length > 1000)
    assert.doesNotMatch(written, new RegExp(CANARY))
    const words = answer.split(/\s+/).slice(0, 4).join(' ')
    assert.ok(words.length > 8 && !written.includes(words), 'an answer is in a log')
    for (const secret of [under.stack.demoKey, under.stack.adminKey]) {
      assert.ok(!written.includes(secret), 'a key is in a log')
    }
  })
})
