import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { exportedSeries, observability, readDashboard, readRules, seriesIn } from './expressions.ts'
import { missing } from './programs.ts'

const skip = missing('promtool')

function promtool(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, {
    cwd: observability,
    encoding: 'utf8',
  })
  assert.equal(status, 0, stdout + stderr)
}

test('promtool accepts the rules, the alerts and the example configuration', { skip }, () => {
  promtool('check', 'rules', 'rules.yaml', 'alerts.yaml')
  promtool('check', 'config', 'prometheus.yaml')
})

test('every alert fires when it should, and not before', { skip }, () => {
  promtool('test', 'rules', 'alerts.test.yaml')
})

const recorded = readRules('rules.yaml').flatMap(({ record }) => record ?? [])
const alerts = readRules('alerts.yaml')
const panels = readDashboard().panels.filter(({ type }) => type !== 'row')

test('rules, alerts and panels name only series that the code exports or a rule records', async () => {
  const known = new Set([...(await exportedSeries()), ...recorded])
  const expressions = [
    ...readRules('rules.yaml').map(({ record, expr }) => ({ where: record, expr })),
    ...alerts.map(({ alert, expr }) => ({ where: alert, expr })),
    ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, expr }))),
    ...readDashboard().templating.list.map(({ name, query }) => ({ where: name, expr: query })),
  ]
  assert.ok(expressions.length > 80)
  const unknown = expressions.flatMap(({ where, expr }) =>
    seriesIn(expr)
      .filter((name) => !known.has(name))
      .map((name) => `${where}: ${name}`),
  )
  assert.deepEqual(unknown, [])
})

test('what a metric is for can be seen: each of ours is in a panel or an alert', async () => {
  const shown = new Set(
    [...panels.flatMap(({ targets }) => targets), ...alerts, ...readRules('rules.yaml')].flatMap(
      ({ expr }) => seriesIn(expr),
    ),
  )
  const ours = [...(await exportedSeries())].filter((name) => name.startsWith('setblock_'))
  const plain = (name: string) => name.replace(/_(?:bucket|sum|count)$/, '')
  const names = new Set([...shown].map(plain))
  assert.deepEqual(
    ours.map(plain).filter((name) => !names.has(name)),
    [],
  )
})

test('every alert has a sentence and a section of the runbook', () => {
  assert.equal(new Set(alerts.map(({ alert }) => alert)).size, alerts.length)
  for (const { alert, annotations } of alerts) {
    assert.match(annotations?.['description'] ?? '', /\.$/)
    assert.equal(annotations?.['runbook_url'], `infra/runbook.md#${alert?.toLowerCase()}`)
  }
})

test('each panel has a title of its own and something to show', () => {
  for (const { title, targets } of panels) assert.ok(targets.length > 0, title)
  const titles = panels.map(({ title }) => title)
  assert.equal(new Set(titles).size, titles.length)
})
