import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  JOB_SECRET,
  startFakeWorker,
  type FakeWorkerOptions,
} from '../../edge/src/test-support/fake-worker.ts'
import { TINY_FOLDER } from '../../edge/src/test-support/tiny-model.ts'
import { ensureDemoKey } from '../../scripts/start/demo-key.ts'
import type { EdgeRuntime } from '../../scripts/start/options.ts'
import { findPort } from '../../scripts/start/ports.ts'
import { waitUntilReady } from '../../scripts/start/ready.ts'
import type { Service } from '../../scripts/start/service.ts'
import { edgeUrl, type Plan } from '../../scripts/start/services.ts'
import { startEdge } from '../../scripts/start/stack.ts'
import { statePaths } from '../../scripts/start/state.ts'
import type { ScriptedTarget } from './case.ts'

const READY_TIMEOUT_MS = 120_000

export interface ScriptedEdge extends ScriptedTarget {
  stop(): Promise<void>
}

/** A real edge in a process of its own, whose worker does what a test says. */
export async function startScriptedEdge(edge: EdgeRuntime): Promise<ScriptedEdge> {
  let behaviour: FakeWorkerOptions = {}
  const worker = await startFakeWorker({
    script: (job, answer) => behaviour.script?.(job, answer),
    refuse: () => behaviour.refuse?.(),
  })
  const stateFolder = await mkdtemp(path.join(tmpdir(), 'setblock-scripted-'))
  const host = '127.0.0.1'
  const workerPort = Number(new URL(worker.url).port)
  const plan: Plan = {
    options: { edge, host, port: 0, workerPort, modelFolders: [TINY_FOLDER], stateFolder },
    secrets: { jobSecret: JOB_SECRET, adminKey: 'sb-admin-key-of-the-conformance-tests' },
    edgePort: await findPort({ host, port: 0, option: '--port' }),
    workerPort,
  }
  const services: Service[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(services.map((service) => service.stop()))
    await worker.close()
    await rm(stateFolder, { recursive: true, force: true })
  }
  try {
    const url = edgeUrl(plan)
    const { signal } = new AbortController()
    const keep = (service: Service): Service => {
      services.push(service)
      return service
    }
    const service = keep(await startEdge(plan, { keep, signal }))
    await waitUntilReady({ service, url: `${url}/readyz`, timeoutMs: READY_TIMEOUT_MS, signal })
    const secretsFile = statePaths(stateFolder).secrets
    const key = await ensureDemoKey({ edgeUrl: url, secrets: plan.secrets, secretsFile })
    const play = (next: FakeWorkerOptions): void => {
      behaviour = next
    }
    return { edgeUrl: url, key, model: 'tiny', play, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
