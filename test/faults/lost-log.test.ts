import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPort } from '../../scripts/start/ports.ts'
import { repository } from '../../scripts/start/services.ts'
import { JOB_SECRET } from './worker-process.ts'

const HOST = '127.0.0.1'
const POLL_MS = 50

const PROGRAMS = {
  'the worker': (port: number) => ({
    script: 'gpu-worker/src/main.ts',
    env: { SETBLOCK_WORKER_PORT: String(port), SETBLOCK_ENGINES: '1', SETBLOCK_THREADS: '1' },
  }),
  'the edge': (port: number) => ({
    script: 'edge/src/node.ts',
    env: {
      SETBLOCK_EDGE_PORT: String(port),
      SETBLOCK_DATABASE: ':memory:',
      SETBLOCK_ADMIN_KEY: JOB_SECRET,
      GPU_WORKERS: `http://${HOST}:1`,
    },
  }),
}

for (const [name, program] of Object.entries(PROGRAMS)) {
  for (const log of ['a full disk', 'a reader that is gone'] as const) {
    const skip = process.platform !== 'linux'
    test(`${name} serves although its log goes to ${log}`, { skip }, async (t) => {
      const port = await findPort({ host: HOST, port: 0, option: '--port' })
      const { script, env } = program(port)
      const child = spawn(process.execPath, [path.join(repository, script)], {
        env: { ...process.env, ...env, SETBLOCK_JOB_SECRET: JOB_SECRET },
        stdio: ['ignore', log === 'a full disk' ? openSync('/dev/full', 'w') : 'pipe', 'ignore'],
      })
      child.stdout?.destroy()
      const exited = once(child, 'exit')
      t.after(() => child.kill('SIGKILL'))
      const ask = () => fetch(`http://${HOST}:${port}/healthz`).then(({ ok }) => ok)
      while (!(await ask().catch(() => false))) {
        assert.equal(child.exitCode, null, 'it ended')
        await sleep(POLL_MS)
      }
      // Both write a line as soon as they are ready, or for each request: by now one was lost.
      await sleep(POLL_MS)
      assert.equal(await ask(), true)
      child.kill('SIGTERM')
      assert.deepEqual(await exited, [0, null])
    })
  }
}
