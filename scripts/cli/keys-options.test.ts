import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { parseKeysOptions } from './keys-options.ts'
import { formatKeys } from './keys.ts'

const folder = await mkdtemp(path.join(tmpdir(), 'setblock-keys-'))
after(() => rm(folder, { recursive: true }))
const env = { SETBLOCK_ADMIN_KEY: 'operator' }
const create = ['create', '--tenant', 'acme', '--name', 'x']

test('a key to create is what the options say, and nothing they do not say', async () => {
  const plain = await parseKeysOptions(create, env)
  assert.deepEqual(plain, {
    url: 'http://127.0.0.1:8787',
    adminKey: 'operator',
    action: 'create',
    fields: { tenant: 'acme', name: 'x' },
  })
  const args = ['--scopes', 'generate, tokens', '--expires-in-days', '2']
  const limits = ['--requests-per-minute', '5', '--tokens-per-month', '1000', '--url', 'http://h/']
  const full = await parseKeysOptions([...create, ...args, ...limits], env)
  assert.equal(full.url, 'http://h')
  assert.deepEqual(full.action === 'create' && full.fields, {
    tenant: 'acme',
    name: 'x',
    scopes: ['generate', 'tokens'],
    expires_in_seconds: 172_800,
    requests_per_minute: 5,
    tokens_per_month: 1000,
  })
})

test('the operator key comes from the environment, else from the state of npm start', async () => {
  await assert.rejects(parseKeysOptions(['list', '--state', folder], {}), /SETBLOCK_ADMIN_KEY/)
  await writeFile(path.join(folder, 'secrets.json'), '{"jobSecret":"j","adminKey":"local"}')
  assert.equal((await parseKeysOptions(['list', '--state', folder], {})).adminKey, 'local')
  assert.equal((await parseKeysOptions(['list', '--state', folder], env)).adminKey, 'operator')
  const empty = { SETBLOCK_ADMIN_KEY: '', SETBLOCK_URL: '' }
  assert.equal((await parseKeysOptions(['list', '--state', folder], empty)).adminKey, 'local')
})

test('the operator key of this machine is sent to no other', async () => {
  const args = ['list', '--state', folder]
  for (const url of ['https://api.example.com', 'http://127.0.0.1.example.com', 'nowhere']) {
    await assert.rejects(
      parseKeysOptions([...args, '--url', url], {}),
      /no operator key for .*: set SETBLOCK_ADMIN_KEY/,
    )
    assert.equal((await parseKeysOptions([...args, '--url', url], env)).adminKey, 'operator')
  }
})

test('what is missing or wrong is named', async () => {
  const cases: [string[], RegExp][] = [
    [[], /create, list or revoke/],
    [['forget'], /create, list or revoke/],
    [['create'], /--tenant and --name/],
    [['revoke'], /wrong arguments/],
    [['list', 'extra'], /wrong arguments/],
    [[...create, '--requests-per-minute', 'many'], /--requests-per-minute must be a number/],
    [['list', '--nope'], /^CliError: Unknown option '--nope'\. See npx setblock keys --help$/],
  ]
  for (const [args, message] of cases) await assert.rejects(parseKeysOptions(args, env), message)
})

test('a list has one line a key, and says what became of it', () => {
  const key = {
    id: 'key-1',
    prefix: 'sb-abcde',
    tenant: 'acme',
    name: 'first',
    scopes: ['generate'],
    requests_per_minute: 60,
    tokens_per_minute: 1000,
    tokens_per_month: null,
    created_at: 0,
    expires_at: null,
    revoked_at: null,
  }
  const text = formatKeys([key, { ...key, id: 'key-22', tokens_per_month: 5, revoked_at: 86_400 }])
  assert.equal(
    text,
    'key-1   sb-abcde...  acme  first  generate  60 req/min  1000 tok/min  no quota     since 1970-01-01\n' +
      'key-22  sb-abcde...  acme  first  generate  60 req/min  1000 tok/min  5 tok/month  revoked 1970-01-02\n',
  )
  assert.equal(formatKeys([]), 'no keys\n')
})
