import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { limits } from '@setblock/shared'
import { validate as validateDockerfile } from 'dockerfile-utils'
import { parse } from 'yaml'
import * as z from 'zod'
import { repository } from './sources.ts'

const read = (file: string): string => readFileSync(path.join(repository, file), 'utf8')
const ownSchema = z.object({
  build: z.strictObject({
    context: z.string(),
    dockerfile: z.string(),
    target: z.string().optional(),
  }),
  environment: z.record(z.string(), z.string()),
})
/** Every field that is used here: a misspelt one is refused. */
const serviceSchema = z.strictObject({
  image: z.string().optional(),
  build: z.unknown().optional(),
  environment: z.unknown().optional(),
  depends_on: z.unknown().optional(),
  profiles: z.tuple([z.literal('observe')]).optional(),
  // Nothing is offered to other machines: a proxy with TLS belongs in front.
  ports: z.array(z.string().startsWith('127.0.0.1:')).optional(),
  restart: z.literal('unless-stopped'),
  tmpfs: z.tuple([z.literal('/tmp')]).optional(),
  volumes: z.array(z.string()),
  read_only: z.literal(true),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  stop_grace_period: z.string().regex(/^\d+s$/),
})
const composeSchema = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()),
})
const compose = composeSchema.parse(parse(read('infra/compose.yaml')))
/** Those built here; the others are somebody else's images. */
const own = Object.values(compose.services)
  .filter(({ image }) => image === undefined)
  .map((service) => ownSchema.parse(service))
const IMAGES = ['infra/worker.Dockerfile', 'infra/edge.Dockerfile']

/** Instructions with their continuation lines joined. */
function instructions(file: string): [name: string, rest: string][] {
  return read(file)
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const space = line.indexOf(' ')
      return [line.slice(0, space), line.slice(space + 1)]
    })
}

test('compose builds images that are described here', () => {
  assert.equal(own.length, 2)
  for (const { build } of own) {
    assert.equal(path.join('infra', build.context), '.')
    assert.ok(IMAGES.includes(build.dockerfile), build.dockerfile)
    const stages = instructions(build.dockerfile).filter(([name]) => name === 'FROM')
    const { target } = build
    if (target !== undefined) assert.ok(stages.some(([, rest]) => rest.endsWith(` AS ${target}`)))
  }
})

test('no secret is written into compose: all come from outside, and are required', () => {
  const secret = /SECRET|_KEY$/
  for (const service of own) {
    assert.ok('SETBLOCK_JOB_SECRET' in service.environment)
    for (const [name, value] of Object.entries(service.environment)) {
      if (secret.test(name)) assert.match(value, new RegExp(`^\\$\\{${name}:\\?`))
    }
  }
})

test('what compose mounts is in the repository, or a volume', () => {
  const sources = Object.values(compose.services)
    .flatMap(({ volumes }) => volumes)
    .map((volume) => volume.split(':')[0] ?? '')
  for (const source of sources) {
    const known = source.startsWith('.')
      ? existsSync(path.join(repository, 'infra', source))
      : source in compose.volumes
    assert.ok(known, source)
  }
})

test('containers are given longer to stop than their programs take', () => {
  for (const service of Object.values(compose.services)) {
    assert.ok(Number.parseInt(service.stop_grace_period, 10) * 1000 > limits.drainMs)
  }
})

for (const file of IMAGES) {
  test(`${file}: everything it copies exists and is let into the build`, () => {
    const ignore = read('.dockerignore').split('\n')
    const sources = instructions(file)
      .filter(([name, rest]) => name === 'COPY' && !rest.includes('--from='))
      .flatMap(([, rest]) => rest.split(/\s+/).slice(0, -1))
    assert.ok(sources.length > 3)
    for (const source of sources) {
      assert.ok(existsSync(path.join(repository, source)), source)
      const roots = source.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'))
      assert.ok(
        roots.some((root) => ignore.includes(`!${root}`)),
        `${source} is ignored by .dockerignore`,
      )
    }
  })

  test(`${file}: its programs exist, and it runs them healthily without being root`, () => {
    const steps = instructions(file)
    assert.equal(steps.findLast(([name]) => name === 'USER')?.[1], 'node')
    assert.ok(steps.some(([name]) => name === 'HEALTHCHECK'))
    const programs = steps
      .filter(([name]) => name === 'CMD' || name === 'HEALTHCHECK')
      .flatMap(([, rest]) => rest.match(/[\w/-]+\.(?:ts|cjs)\b/g) ?? [])
    assert.ok(programs.length >= 2)
    for (const program of programs) assert.ok(existsSync(path.join(repository, program)), program)
  })

  test(`${file}: every base is a Node that runs the sources as they are`, () => {
    const stages = instructions(file).filter(([name]) => name === 'FROM')
    const names = stages.map(([, rest]) => / AS ([\w-]+)$/.exec(rest)?.[1])
    const node = /^ARG NODE_IMAGE=node:22-/m.test(read(file))
    for (const [, rest] of stages) {
      const [base = ''] = rest.split(' ')
      const known = names.includes(base) || base === 'scratch' || base === '${CUDA_IMAGE}'
      assert.ok(known || (base === '${NODE_IMAGE}' && node), base)
    }
  })

  test(`${file}: a linter of such files has nothing to say`, () => {
    assert.deepEqual(
      validateDockerfile(read(file)).map(
        ({ range, message }) =>
          `${range.start.line + 1}: ${typeof message === 'string' ? message : message.value}`,
      ),
      [],
    )
  })

  test(`${file}: a first process that passes signals on and reaps what others left`, () => {
    const entries = instructions(file).filter(([name]) => name === 'ENTRYPOINT')
    assert.ok(entries.length >= 1)
    for (const [, rest] of entries) assert.equal(rest, '["tini", "--"]')
  })
}

test('the edge image has an address for its probe that fits its port', () => {
  for (const file of IMAGES) {
    const text = read(file)
    const [, port] = /SETBLOCK_(?:EDGE|WORKER)_PORT=(\d+)/.exec(text) ?? []
    assert.ok(text.includes(`http://127.0.0.1:${port}/`), file)
    assert.ok(text.includes(`EXPOSE ${port}`), file)
  }
})

/** Names of the variables that a program reads, by the file that reads them. */
const variablesOf = (file: string): string[] =>
  [...read(file).matchAll(/^ {2}((?:SETBLOCK|GPU)_[A-Z0-9_]+): /gm)].map(([, name = '']) => name)

test('every variable of both programs is in a table of infra/README.md, and no other is', () => {
  const documented = read('infra/README.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => line.split('|')[1]?.match(/(?:SETBLOCK|GPU)_[A-Z0-9_]+/g) ?? [])
  const known = ['gpu-worker/src/server/config.ts', 'edge/src/config.ts'].flatMap(variablesOf)
  assert.ok(known.length > 30, `${known.length}`)
  assert.deepEqual(new Set(documented), new Set(known))
})
