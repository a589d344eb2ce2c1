import { ApiError } from '@setblock/shared'
import { ModelError } from '../../gpu-worker/src/engine/model-error.ts'
import { readJsonSchema } from '../../gpu-worker/src/grammar/json-schema.ts'
import {
  headerLength,
  LENGTH_BYTES,
  parseHeader,
} from '../../gpu-worker/src/model-builder/safetensors.ts'
import { readConfig } from '../../gpu-worker/src/server/config.ts'
import { MemoryStore } from '../../gpu-worker/src/sessions/memory-store.ts'
import { assertName, type ObjectStore } from '../../gpu-worker/src/sessions/object-store.ts'
import { seal, unseal } from '../../gpu-worker/src/sessions/seal.ts'
import { SessionStates } from '../../gpu-worker/src/sessions/session-states.ts'
import { takes, toBytes, toJsonBytes, toText, type Target } from './run-fuzz.ts'

const LABEL = { kind: 'session', name: 'sessions/a/b/000000000001' }
const KEY = new Uint8Array(32).fill(7)

/** What is stored may be damaged in any way; then it is refused and never taken for another. */
function sealTarget(name: string, key: Uint8Array | undefined): Target {
  const data = toBytes('what was stored')
  const sealed = new Uint8Array(seal(LABEL, data, key))
  return {
    name,
    examples: [sealed],
    read(bytes) {
      const opened = unseal(bytes, LABEL, key)
      if (typeof opened === 'string') return false
      if (!Buffer.from(opened).equals(data)) throw new Error('other data was taken')
      return true
    },
  }
}

/** A session's state whose bytes were changed in the store. */
async function stateTarget(): Promise<Target> {
  const kept = new MemoryStore()
  const states = new SessionStates({ store: kept })
  const state = {
    id: 's',
    version: 1,
    createdMs: 1,
    updatedMs: 2,
    ttlMs: 3,
    deleted: false,
    tokenIds: [1, 2, 3],
  }
  await states.save('t', state)
  const [object] = await kept.list('sessions')
  const bytes = (await kept.get(object!.name))!
  return {
    name: 'session state',
    examples: [new Uint8Array(bytes)],
    async read(changed) {
      const store: ObjectStore = {
        get: () => Promise.resolve(changed),
        list: (folder) => kept.list(folder),
        putNew: () => Promise.resolve(false),
        remove: () => Promise.resolve(),
      }
      try {
        const loaded = await new SessionStates({ store }).load('t', 's')
        if (JSON.stringify(loaded) !== JSON.stringify(state)) throw new Error('another state')
        return true
      } catch (error) {
        if (error instanceof ApiError && error.code === 'session_corrupt') return false
        throw error
      }
    },
  }
}

function safetensorsFile(): Uint8Array {
  const header = toJsonBytes({
    __metadata__: { format: 'pt' },
    a: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] },
    b: { dtype: 'BF16', shape: [3], data_offsets: [16, 22] },
  })
  const file = Buffer.alloc(LENGTH_BYTES + header.length + 22)
  file.writeBigUInt64LE(BigInt(header.length))
  file.set(header, LENGTH_BYTES)
  return new Uint8Array(file)
}

const safetensors: Target = {
  name: 'safetensors header',
  examples: [safetensorsFile()],
  read: (bytes) =>
    takes(
      () => {
        const facts = { file: 'f', bytes: bytes.length }
        const length = headerLength(bytes.subarray(0, LENGTH_BYTES), facts)
        const tensors = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), facts)
        for (const { begin, end } of tensors.values()) {
          if (begin > end || end > bytes.length) throw new Error('a tensor outside of the file')
        }
      },
      (error) => error instanceof ModelError,
    ),
}

const grammar: Target = {
  name: 'JSON Schema of the grammar',
  examples: [
    { type: 'object', properties: { a: { type: 'integer', minimum: 1 } }, required: ['a'] },
    {
      anyOf: [{ enum: ['x', null] }, { type: 'array', items: { $ref: '#/$defs/n' } }],
      $defs: { n: true },
    },
    { type: 'string', minLength: 1, maxLength: 4 },
    { type: 'string', pattern: '^(?!a)[b-e\\d]{2,3}(?:x|\\by)*$', format: 'date' },
    { type: 'number', multipleOf: 0.25, maximum: 3 },
  ].map(toJsonBytes),
  read: (bytes) =>
    takes(
      () => readJsonSchema(toText(bytes)),
      (error) => error instanceof ApiError,
    ),
}

const names: Target = {
  name: 'name of a stored object',
  examples: ['kv/abc/def', 'sessions/a/000001'].map(toBytes),
  read: (bytes) =>
    takes(
      () => {
        const name = toText(bytes)
        assertName(name)
        if (/\.\.|\0|^\/|\\/.test(name)) throw new RangeError(`a path: ${name}`)
      },
      (error) => !(error instanceof RangeError),
    ),
}

const SECRET = 'a-secret-that-must-never-be-told-to-anybody'
const environment: Target = {
  name: 'environment of the worker',
  examples: [
    toBytes(
      [
        `SETBLOCK_JOB_SECRET=${SECRET}`,
        'SETBLOCK_WORKER_PORT=0',
        'SETBLOCK_SESSIONS_BUCKET=s3://bucket/prefix',
        'SETBLOCK_S3_ENDPOINT=http://127.0.0.1:9000',
        `SETBLOCK_AT_REST_KEY=${Buffer.from(KEY).toString('base64')}`,
      ].join('\n'),
    ),
  ],
  read(bytes) {
    const pairs = toText(bytes)
      .split('\n')
      .map((line) => line.split('='))
    const env = Object.fromEntries(pairs.map(([key = '', ...value]) => [key, value.join('=')]))
    return takes(
      () => readConfig(env),
      (error) => {
        const { message, name } = error as Error
        return name === 'Error' && !message.includes(SECRET)
      },
    )
  },
}

/** What a worker reads. */
export async function workerTargets(): Promise<Target[]> {
  return [
    sealTarget('seal', undefined),
    sealTarget('seal, encrypted', KEY),
    await stateTarget(),
    safetensors,
    grammar,
    names,
    environment,
  ]
}
