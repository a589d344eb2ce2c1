import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { manifestSchema } from '@setblock/shared'
import { ensureDemoKey } from '../../scripts/start/demo-key.ts'
import { findPort } from '../../scripts/start/ports.ts'
import { waitUntilReady } from '../../scripts/start/ready.ts'
import { startService, type Service } from '../../scripts/start/service.ts'
import { repository } from '../../scripts/start/services.ts'
import { loadSecrets, statePaths } from '../../scripts/start/state.ts'
import type { Target } from './phase.ts'

const HOST = '127.0.0.1'
const READY_MS = 120_000

export interface LoadedStack extends Target {
  stop(): Promise<void>
}

/** Some workers that share a folder of sessions, and one edge on Node in front of them. */
export async function startLoadedStack(options: {
  workers: number
  modelFolder: string
  /** Variables of the workers. */
  env: Readonly<Record<string, string>>
}): Promise<LoadedStack> {
  const { workers, modelFolder, env } = options
  const folder = await mkdtemp(path.join(tmpdir(), 'setblock-load-'))
  const paths = statePaths(folder)
  const secrets = await loadSecrets(paths.secrets)
  const common = { SETBLOCK_JOB_SECRET: secrets.jobSecret, SETBLOCK_MODEL: modelFolder }
  const services: Service[] = []
  const run = async (
    name: string,
    program: string,
    env: Record<string, string>,
  ): Promise<{ service: Service; url: string }> => {
    const port = await findPort({ host: HOST, port: 0, option: name })
    const portName = program.startsWith('edge') ? 'EDGE' : 'WORKER'
    const service = startService({
      name,
      lives: true,
      script: [path.join(repository, program)],
      env: { ...common, ...env, [`SETBLOCK_${portName}_PORT`]: String(port) },
      cwd: repository,
      logFile: path.join(paths.logs, `${name}.log`),
    })
    services.push(service)
    return { service, url: `http://${HOST}:${port}` }
  }
  const stop = async (): Promise<void> => {
    await Promise.all(services.map((service) => service.stop()))
    await rm(folder, { recursive: true, force: true })
  }
  const ready = ({ service, url }: { service: Service; url: string }): Promise<void> => {
    const { signal } = new AbortController()
    return waitUntilReady({ service, url: `${url}/readyz`, timeoutMs: READY_MS, signal })
  }
  try {
    const urls: string[] = []
    for (let index = 0; index < workers; index++) {
      const own = { SETBLOCK_SESSIONS: paths.sessions, ...env }
      const worker = await run(`worker-${index}`, 'gpu-worker/src/main.ts', own)
      // One after the other: each measures at its start what rows cost here.
      await ready(worker)
      urls.push(worker.url)
    }
    const edge = await run('edge', 'edge/src/node.ts', {
      SETBLOCK_ADMIN_KEY: secrets.adminKey,
      SETBLOCK_DATABASE: paths.database,
      GPU_WORKERS: urls.join(','),
    })
    await ready(edge)
    const { url } = edge
    const key = await ensureDemoKey({ edgeUrl: url, secrets, secretsFile: paths.secrets })
    const manifest = await readFile(path.join(modelFolder, 'setblock.json'), 'utf8')
    return { url, key, model: manifestSchema.parse(JSON.parse(manifest)).id, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
