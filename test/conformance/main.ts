/**
 * Runs the conformance cases of every stock client against real processes, the edge on Node and
 * on the Workers runtime, and prints which pass. Fails when one does not.
 *
 *     npm run conformance [-- --list]
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import type { EdgeRuntime } from '../../scripts/start/options.ts'
import { repository } from '../../scripts/start/services.ts'
import { startStack } from '../../scripts/start/stack.ts'
import { provenance } from '../eval/provenance.ts'
import type { ConformanceCase, Target } from './case.ts'
import { SUITES } from './suites.ts'

const MODEL = 'setblock-nano'
const CASE_TIMEOUT_MS = 60_000
const EDGES: readonly EdgeRuntime[] = ['node', 'wrangler']
const NAMES: Record<EdgeRuntime, string> = { node: 'Node', wrangler: 'Workers' }

interface Result {
  client: string
  name: string
  edge: EdgeRuntime
  /** Undefined when the case passed. */
  failure: string | undefined
}

async function runEdge(edge: EdgeRuntime): Promise<Result[]> {
  const stateFolder = await mkdtemp(path.join(tmpdir(), 'setblock-conformance-'))
  const modelFolder = path.join(repository, 'models', MODEL)
  const options = { edge, host: '127.0.0.1', port: 0, workerPort: 0, modelFolder, stateFolder }
  const stack = await startStack(options, new AbortController().signal)
  const { edgeUrl, workerUrl, demoKey } = stack
  const target: Target = { edgeUrl, workerUrl, key: demoKey, model: MODEL }
  const results: Result[] = []
  try {
    for (const { client, cases } of SUITES) {
      for (const each of cases) {
        results.push({ client, name: each.name, edge, failure: await runCase(each, target) })
      }
    }
  } finally {
    await stack.stop()
    await rm(stateFolder, { recursive: true, force: true })
  }
  return results
}

async function runCase({ run }: ConformanceCase, target: Target): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('took too long')), CASE_TIMEOUT_MS)
  })
  try {
    await Promise.race([run(target), late])
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    clearTimeout(timer)
  }
}

/** A row for each client: cases passed of cases run, on each edge. */
async function renderTable(results: readonly Result[]): Promise<string> {
  const rows = await Promise.all(
    SUITES.map(async ({ client, packages, cases }) => {
      const cells = EDGES.map((edge) => {
        const own = results.filter((result) => result.client === client && result.edge === edge)
        const passed = own.filter(({ failure }) => failure === undefined).length
        return `${passed} of ${cases.length}`
      })
      const versions = await Promise.all(packages.map(readVersion))
      return `| ${versions.join(', ') || client} | ${cells.join(' | ')} |`
    }),
  )
  const head = `| client | ${EDGES.map((edge) => `edge on ${NAMES[edge]}`).join(' | ')} |`
  return [head, `|---|${'---|'.repeat(EDGES.length)}`, ...rows].join('\n')
}

async function readVersion(name: string): Promise<string> {
  const file = path.join(repository, 'node_modules', name, 'package.json')
  const { version } = JSON.parse(await readFile(file, 'utf8')) as { version: string }
  return `${name} ${version}`
}

const { values } = parseArgs({ options: { list: { type: 'boolean', default: false } } })
const results: Result[] = []
for (const edge of EDGES) results.push(...(await runEdge(edge)))
const failed = results.filter(({ failure }) => failure !== undefined)

const lines = [await renderTable(results), '']
if (values.list) {
  for (const { client, cases } of SUITES) {
    lines.push(`${client}:`, ...cases.map(({ name }) => `- ${name}`), '')
  }
}
for (const { client, name, edge, failure } of failed) {
  lines.push(`FAILED on ${NAMES[edge]}, ${client}: ${name}`, `  ${failure}`, '')
}
const summary = {
  ...provenance(),
  clients: SUITES.map(({ client, cases }) => ({ client, cases: cases.length })),
  run: results.length,
  passed: results.length - failed.length,
}
process.stdout.write(`${lines.join('\n')}\n${JSON.stringify(summary)}\n`)
process.exitCode = failed.length === 0 ? 0 : 1
