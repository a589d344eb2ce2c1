import path from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { usageLine } from '../../gpu-worker/src/server/usage-line.ts'
import { readSecrets, statePaths } from '../start/state.ts'
import { CliError } from './command.ts'
import { isThisMachine } from './this-machine.ts'

interface Target {
  /** Of the edge, without a trailing slash. */
  readonly url: string
  /** The operator's. */
  readonly adminKey: string
}

export type KeysOptions = Target &
  (
    | { readonly action: 'create'; readonly fields: object }
    | { readonly action: 'list'; readonly tenant: string | undefined }
    | { readonly action: 'revoke'; readonly id: string }
  )

export const KEYS_USAGE = `npx setblock keys create --tenant TENANT --name NAME [options]
npx setblock keys list [--tenant TENANT]
npx setblock keys revoke ID

  --url URL                 the edge                          (SETBLOCK_URL, http://127.0.0.1:8787)
  --scopes LIST             of generate, usage, tokens, admin (generate,usage,tokens)
  --requests-per-minute N   --tokens-per-minute N   --tokens-per-month N
  --expires-in-days N       otherwise the key does not expire
  --state FOLDER            of npm start, which holds the operator's key  (.setblock)
  --help

The operator's key is read from SETBLOCK_ADMIN_KEY, or else, for an edge on this machine, from the state of npm start. The
new key is the only line on standard output.`

const FLAGS = {
  url: { type: 'string' },
  tenant: { type: 'string' },
  name: { type: 'string' },
  scopes: { type: 'string' },
  'requests-per-minute': { type: 'string' },
  'tokens-per-minute': { type: 'string' },
  'tokens-per-month': { type: 'string' },
  'expires-in-days': { type: 'string' },
  state: { type: 'string' },
} as const satisfies ParseArgsConfig['options']

const DAY_SECONDS = 24 * 3600

/** @throws CliError naming what is missing or wrong. */
export async function parseKeysOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<KeysOptions> {
  const { values, positionals } = parseFlags(args)
  const [action, id, ...others] = positionals
  const wanted = action === 'revoke' ? 1 : 0
  if ((id === undefined ? 0 : 1) !== wanted || others.length > 0) {
    throw new CliError(`keys ${action ?? ''}: wrong arguments. See npx setblock keys --help`)
  }
  const url = (values.url ?? (env.SETBLOCK_URL || 'http://127.0.0.1:8787')).replace(/\/+$/, '')
  const adminKey = env.SETBLOCK_ADMIN_KEY || (await readAdminKey(url, values.state))
  const target = { url, adminKey }
  switch (action) {
    case 'create':
      return { ...target, action, fields: createFields(values) }
    case 'list':
      return { ...target, action, tenant: values.tenant }
    case 'revoke':
      return { ...target, action, id: id as string }
    default:
      throw new CliError('keys: say create, list or revoke. See npx setblock keys --help')
  }
}

/** Body of the request; what the values may be is the API's to say. */
function createFields(values: ReturnType<typeof parseFlags>['values']): object {
  const { tenant, name, scopes } = values
  if (tenant === undefined || name === undefined) {
    throw new CliError('keys create: give --tenant and --name')
  }
  const days = readNumber('--expires-in-days', values['expires-in-days'])
  const fields = {
    tenant,
    name,
    scopes: scopes?.split(',').map((scope) => scope.trim()),
    requests_per_minute: readNumber('--requests-per-minute', values['requests-per-minute']),
    tokens_per_minute: readNumber('--tokens-per-minute', values['tokens-per-minute']),
    tokens_per_month: readNumber('--tokens-per-month', values['tokens-per-month']),
    expires_in_seconds: days === undefined ? undefined : Math.round(days * DAY_SECONDS),
  }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function readNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new CliError(`${option} must be a number, not ${text}`)
  }
  return value
}

/** The operator's key of this machine's instance is sent to no other. */
async function readAdminKey(url: string, stateFolder = '.setblock'): Promise<string> {
  if (!isThisMachine(url)) throw new CliError(`no operator key for ${url}: set SETBLOCK_ADMIN_KEY`)
  const secrets = await readSecrets(statePaths(path.resolve(stateFolder)).secrets)
  if (secrets !== undefined) return secrets.adminKey
  // Whether the file is missing or broken, the way out is the same.
  throw new CliError('no operator key: set SETBLOCK_ADMIN_KEY, or run where npm start has run')
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: true })
  } catch (error) {
    throw new CliError(`${usageLine(error)} See npx setblock keys --help`)
  }
}
