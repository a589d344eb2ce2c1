import { after, before, describe, test } from 'node:test'
import type { EdgeRuntime } from '../../scripts/start/options.ts'
import { startScriptedEdge, type ScriptedEdge } from '../conformance/scripted-edge.ts'
import { SUITES } from '../conformance/suites.ts'
import { MODEL, stackUnderTest } from './stack-under-test.ts'

/** Stock clients against real processes; `npm run conformance` prints the same cases as a table. */
export function conformanceSuite(edge: EdgeRuntime): void {
  describe(`stock clients and the edge on ${edge}`, { timeout: 180_000 }, () => {
    const under = stackUnderTest(edge)
    for (const { client, cases } of SUITES) {
      for (const { name, run } of cases) {
        test(`${client}: ${name}`, { timeout: 60_000 }, () => {
          const { edgeUrl, workerUrl, demoKey } = under.stack
          return run({ edgeUrl, workerUrl, key: demoKey, model: MODEL })
        })
      }
    }
  })

  describe(`stock clients when things go wrong behind ${edge}`, { timeout: 180_000 }, () => {
    let scripted: ScriptedEdge
    before(async () => {
      scripted = await startScriptedEdge(edge)
    })
    after(() => scripted?.stop())
    for (const { client, failures } of SUITES) {
      for (const { name, run } of failures) {
        test(`${client}: ${name}`, { timeout: 60_000 }, () => run(scripted))
      }
    }
  })
}
