/** A real Prometheus asks a real worker and edge, and answers what the dashboard would ask it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPort } from '../../scripts/start/ports.ts'
import { MODEL, stackUnderTest } from '../e2e/stack-under-test.ts'
import { filledIn, readDashboard } from './expressions.ts'
import { missing } from './programs.ts'
import { PrometheusUnderTest, type Samples } from './prometheus-under-test.ts'

const CHAT = '/v1/chat/completions'
const ROUND_MS = 250
const skip = missing('prometheus')
const panels = readDashboard().panels.filter(({ type }) => type !== 'row')
const metricsPort = await findPort({ host: '127.0.0.1', port: 0, option: 'metrics' })
process.env['SETBLOCK_METRICS_PORT'] = String(metricsPort)

describe('Prometheus', { skip, timeout: 240_000 }, () => {
  const under = stackUnderTest('node')
  let prometheus: PrometheusUnderTest

  before(async () => {
    const edge = `http://127.0.0.1:${metricsPort}`
    prometheus = await PrometheusUnderTest.start({ worker: under.stack.workerUrl, edge })
  })
  after(() => prometheus?.stop())

  const story = (change: object) => ({
    model: MODEL,
    messages: [{ role: 'user', content: 'Tell me a short story about a fox.' }],
    max_tokens: 60,
    ...change,
  })

  /** One of everything that has a panel of its own. */
  async function round(): Promise<void> {
    const session = { session: 'canary-session', max_tokens: 8 }
    const bodies = [
      ...['verified', 'ntp', 'sbd'].map((mode) => story({ mode, stream: mode !== 'ntp' })),
      story(session),
      story({ model: 'canary-model' }),
    ]
    for (const body of bodies) await (await under.post(CHAT, body)).text()
    const leaving = new AbortController()
    const left = await fetch(`${under.stack.edgeUrl}${CHAT}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${under.stack.demoKey}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(story({ stream: true, mode: 'ntp', max_tokens: 400, temperature: 1 })),
      signal: leaving.signal,
    })
    await left.body!.getReader().read()
    leaving.abort()
    const resumable = { 'x-setblock-resumable': 'true' }
    await (await under.post(CHAT, story({ stream: true }), resumable)).text()
    await refusedByKey()
  }

  /** A request that its key has no room for. */
  async function refusedByKey(): Promise<void> {
    const made = await fetch(`${under.stack.edgeUrl}/v1/admin/keys`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${under.stack.adminKey}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ tenant: 'canary-tenant', name: 'x', tokens_per_month: 1 }),
    })
    const { key } = (await made.json()) as { key: string }
    const refused = await under.post(CHAT, story({}), { authorization: `Bearer ${key}` })
    assert.equal(refused.status, 429)
    await refused.text()
  }

  test('sees both, and every panel of the dashboard has an answer', async () => {
    let open = panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ title, expr: filledIn(expr, '30s') })),
    )
    assert.ok(open.length > 60)
    // Rates need what has changed between two scrapes; each question is asked until it has an answer.
    while (open.length > 0) {
      await round()
      const answers = await Promise.all(open.map(({ expr }) => prometheus.query(expr)))
      const isNumber = ({ value }: Samples[number]): boolean => Number.isFinite(Number(value[1]))
      open = open.filter((_, index) => !answers[index]!.some(isNumber))
      if (open.length > 0) await sleep(ROUND_MS)
    }
    for (const job of ['setblock-worker', 'setblock-edge']) {
      const [up] = await prometheus.query(`up{job="${job}"}`)
      assert.equal(up?.value[1], '1', job)
    }
  })

  test('has few series, none of which names a tenant, a session, a key or an unknown model', async () => {
    const series = await prometheus.query('{__name__=~"setblock.*"}')
    assert.ok(series.length > 300)
    assert.ok(series.length < 3000, `${series.length} series`)
    assert.doesNotMatch(JSON.stringify(series), /canary|demo|fox|sb-/)
    const answered = await prometheus.query('sum(setblock_edge_requests_total{status="200"})')
    assert.ok(Number(answered[0]?.value[1]) > 0)
  })

  test('finds no alert that burns after ordinary requests', async () => {
    const burning = await prometheus.query('ALERTS{alertstate="firing"}')
    assert.deepEqual(
      burning.map(({ metric }) => metric['alertname']),
      [],
    )
  })
})
