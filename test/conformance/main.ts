/**
 * Runs the conformance cases of every stock client against real processes, the edge on Node and
 * on the Workers runtime, and prints which pass. Fails when one does not.
 *
 *     npm run conformance [-- --list]
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { commandLine } from '../../gpu-worker/bench/command-line.ts'
import type { EdgeRuntime } from '../../scripts/start/options.ts'
import { repository } from '../../scripts/start/services.ts'
import { startStack } from '../../scripts/start/stack.ts'
import { provenance } from '../eval/provenance.ts'
import type { Target } from './case.ts'
import { startScriptedEdge } from './scripted-edge.ts'
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
  const modelFolders = [path.join(repository, 'models', MODEL)]
  const options = { edge, host: '127.0.0.1', port: 0, workerPort: 0, modelFolders, stateFolder }
  const stack = await startStack(options, new AbortController().signal)
  const { edgeUrl, workerUrl, demoKey } = stack
  const target: Target = { edgeUrl, workerUrl, key: demoKey, model: MODEL }
  const results: Result[] = []
  try {
    for (const { client, cases } of SUITES) {
      for (const { name, run } of cases) {
        results.push({ client, name, edge, failure: await runCase(() => run(target)) })
      }
    }
  } finally {
    await stack.stop()
    await rm(stateFolder, { recursive: true, force: true })
  }
  return results
}

async function runFailures(edge: EdgeRuntime): Promise<Result[]> {
  const scripted = await startScriptedEdge(edge)
  const results: Result[] = []
  try {
    for (const { client, failures } of SUITES) {
      for (const { name, run } of failures) {
        results.push({ client, name, edge, failure: await runCase(() => run(scripted)) })
      }
    }
  } finally {
    await scripted.stop()
  }
  return results
}

async function runCase(run: () => Promise<void>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('took too long')), CASE_TIMEOUT_MS)
  })
  try {
    await Promise.race([run(), late])
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
    SUITES.map(async ({ client, packages }) => {
      const cells = EDGES.map((edge) => {
        const own = results.filter((result) => result.client === client && result.edge === edge)
        const passed = own.filter(({ failure }) => failure === undefined).length
        return `${passed} of ${own.length}`
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

const { values } = commandLine({ options: { list: { type: 'boolean', default: false } } })
const results: Result[] = []
for (const edge of EDGES) results.push(...(await runEdge(edge)), ...(await runFailures(edge)))
const failed = results.filter(({ failure }) => failure !== undefined)

const lines = [await renderTable(results), '']
if (values.list) {
  for (const { client, cases, failures } of SUITES) {
    lines.push(`${client}:`, ...[...cases, ...failures].map(({ name }) => `- ${name}`), '')
  }
}
for (const { client, name, edge, failure } of failed) {
  lines.push(`FAILED on ${NAMES[edge]}, ${client}: ${name}`, `  ${failure}`, '')
}
const summary = {
  ...provenance(),
  clients: SUITES.map(({ client, cases, failures }) => ({
    client,
    cases: cases.length + failures.length,
  })),
  run: results.length,
  passed: results.length - failed.length,
}
process.stdout.write(`${lines.join('\n')}\n${JSON.stringify(summary)}\n`)
process.exitCode = failed.length === 0 ? 0 : 1
