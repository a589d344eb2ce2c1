import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import * as z from 'zod'
import { readSources, repository } from './sources.ts'

const read = (file: string): string => readFileSync(path.join(repository, file), 'utf8')
const runbook = read('infra/runbook.md')
const headings = [...runbook.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title)
/** As pages that show Markdown make them. */
const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')
const alertsSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({ alert: z.string(), annotations: z.object({ runbook_url: z.string() }) }),
      ),
    }),
  ),
})
const alerts = alertsSchema
  .parse(parse(read('infra/observability/alerts.yaml')))
  .groups.flatMap(({ rules }) => rules)

test('each alert leads to a section of the runbook, and each such section is an alert’s', () => {
  const anchors = headings.map(anchorOf)
  for (const { alert, annotations } of alerts) {
    const [file = '', anchor = ''] = annotations.runbook_url.split('#')
    assert.ok(existsSync(path.join(repository, file)), annotations.runbook_url)
    assert.equal(anchor, anchorOf(alert))
    assert.ok(anchors.includes(anchor), alert)
  }
  const names = alerts.map(({ alert }) => alert)
  const sections = headings.filter((title) => title.startsWith('Setblock'))
  assert.deepEqual(sections.toSorted(), names.toSorted())
})

test('links inside the runbook lead to its sections', () => {
  const anchors = new Set(headings.map(anchorOf))
  const links = [...runbook.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor)
  assert.ok(links.length > 20)
  assert.deepEqual(
    links.filter((anchor) => !anchors.has(anchor)),
    [],
  )
})

test('metrics, variables and limits that the runbook names exist', () => {
  const text = ['gpu-worker/src', 'edge/src', 'shared/src']
    .flatMap((folder) => readSources(folder, ['.ts']))
    .map((source) => source.text)
    .join('\n')
  const metrics = runbook.match(/\bsetblock_\w+/g) ?? []
  const variables = runbook.match(/\bSETBLOCK_[A-Z0-9_]+\b/g) ?? []
  const bounds = runbook.match(/(?<=`)[a-z]+[A-Z]\w*(?:Ms|Max)(?=`)/g) ?? []
  assert.ok(metrics.length > 5 && variables.length > 5 && bounds.length > 3)
  const known = (name: string): boolean =>
    text.includes(name) || text.includes(`'${name.replace(/^setblock_(?:edge_)?/, '')}'`)
  assert.deepEqual(
    [...metrics, ...variables, ...bounds].filter((name) => !known(name)),
    [],
  )
})
