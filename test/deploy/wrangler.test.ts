import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'

const repository = path.resolve(import.meta.dirname, '..', '..')
const folder = await mkdtemp(path.join(tmpdir(), 'setblock-deploy-'))
after(() => rm(folder, { recursive: true }))
const assets = path.join(folder, 'assets')
const bundle = path.join(folder, 'bundle')

/** `wrangler deploy`, up to the point where it would log in. */
function dryRun(...more: string[]) {
  const wrangler = path.join(repository, 'node_modules', 'wrangler', 'bin', 'wrangler.js')
  const args = ['deploy', '--dry-run', `--outdir=${bundle}`, `--assets=${assets}`, ...more]
  return spawnSync(process.execPath, [wrangler, ...args], {
    cwd: repository,
    encoding: 'utf8',
    env: {
      ...process.env,
      CI: '1',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      SETBLOCK_ASSETS: assets,
    },
  })
}

test('the edge can be deployed: it bundles, with its bindings and assets', async () => {
  const { status, stdout, stderr } = dryRun()
  assert.equal(status, 0, stderr)
  for (const binding of ['env.DB', 'env.METERS', 'env.STREAMS', 'env.ASSETS', 'env.GPU_WORKERS']) {
    assert.ok(stdout.includes(binding), binding)
  }
  assert.doesNotMatch(stdout, /SETBLOCK_JOB_SECRET|SETBLOCK_ADMIN_KEY/)

  const index = JSON.parse(await readFile(path.join(assets, 'index.json'), 'utf8')) as {
    models: string[]
  }
  assert.ok(index.models.includes('setblock-nano'))

  const BUNDLE_BYTES_MAX = 3 * 1024 * 1024
  const file = path.join(bundle, 'worker.js')
  assert.ok((await readdir(bundle)).includes('worker.js'))
  assert.ok((await stat(file)).size < BUNDLE_BYTES_MAX)
  const code = await readFile(file, 'utf8')
  const observing = ['prometheus-io', 'process_cpu_seconds_total', 'otlp', 'BatchSpanProcessor']
  for (const foreign of ['onnxruntime', 'node:worker_threads', 'node:fs', ...observing]) {
    assert.ok(!code.includes(foreign), `${foreign} is in the edge's bundle`)
  }
})

const ENVIRONMENTS = ['staging', 'production']

for (const name of ENVIRONMENTS) {
  test(`environment ${name} has every binding and variable, and secrets in none`, () => {
    const { status, stdout, stderr } = dryRun('--env', name)
    assert.equal(status, 0, stderr)
    const missing = ['DB', 'METERS', 'STREAMS', 'REGISTRY', 'ASSETS', 'GPU_WORKERS']
      .concat('SETBLOCK_WORKER_HOSTS', 'SETBLOCK_CORS_ORIGINS', 'SETBLOCK_USAGE_DAYS')
      .filter((binding) => !stdout.includes(`env.${binding}`))
    assert.deepEqual(missing, [])
    assert.ok(stdout.includes(`setblock-${name}`), 'its own database')
    assert.doesNotMatch(stdout, /SETBLOCK_JOB_SECRET|SETBLOCK_ADMIN_KEY/)
    assert.doesNotMatch(stderr + stdout, /warning/i)
  })
}
