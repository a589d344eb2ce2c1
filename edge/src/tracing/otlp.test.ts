import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { startTracing } from './otlp.ts'

test('a collector that refuses spans is told of once, until it has taken some', async (t) => {
  let status = 400
  const collector = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end('{}'))
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_BSP_SCHEDULE_DELAY: '20' }
  Object.assign(process.env, variables)
  t.after(() => {
    for (const name of Object.keys(variables)) delete process.env[name]
    collector.closeAllConnections()
    collector.close()
  })
  const reasons: string[] = []
  const tracing = await startTracing(variables, 'test', (reason) => void reasons.push(reason))
  /** The next span is begun when the collector has been asked about this one: each is a batch of its own. */
  async function send(answer: number): Promise<void> {
    status = answer
    const asked = once(collector, 'request')
    tracing!.tracer.startSpan('one').end()
    await asked
  }
  for (const answer of [400, 400, 200, 400]) await send(answer)
  await tracing!.stop()
  assert.equal(reasons.length, 2)
})

test('an empty variable is as good as none, and a wrong one is named', async () => {
  const start = (env: Record<string, string>) => startTracing(env, 'test', () => undefined)
  const all = {
    OTEL_EXPORTER_OTLP_ENDPOINT: '',
    OTEL_TRACES_SAMPLER_ARG: '',
    OTEL_SERVICE_NAME: '',
  }
  assert.equal(await start(all), undefined)
  await assert.rejects(start({ OTEL_TRACES_SAMPLER_ARG: '2' }), /^Error: OTEL_TRACES_SAMPLER_ARG: /)
})
