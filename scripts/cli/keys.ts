import process from 'node:process'
import * as z from 'zod'
import { CliError, type Command } from './command.ts'
import { KEYS_USAGE, parseKeysOptions, type KeysOptions } from './keys-options.ts'

const keySchema = z.object({
  id: z.string(),
  prefix: z.string(),
  tenant: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  requests_per_minute: z.int(),
  tokens_per_minute: z.int(),
  tokens_per_month: z.int().nullable(),
  /** Unix seconds. */
  created_at: z.int(),
  expires_at: z.int().nullable(),
  revoked_at: z.int().nullable(),
})
const createdSchema = keySchema.extend({ key: z.string() })
const pageSchema = z.object({ data: z.array(keySchema), has_more: z.boolean() })
const envelopeSchema = z.object({ error: z.object({ message: z.string() }) })

/** `npx setblock keys`: makes, lists and revokes API keys through the admin API of an edge. */
export const keys: Command = { usage: KEYS_USAGE, run }

async function run(args: readonly string[]): Promise<number> {
  const options = await parseKeysOptions(args, process.env)
  switch (options.action) {
    case 'create': {
      const created = createdSchema.parse(await call(options, 'POST', '', options.fields))
      print(`${created.key}\n`)
      process.stderr.write(`${created.id}: copy the key now, it is not shown again\n`)
      return 0
    }
    case 'list':
      print(formatKeys(await listKeys(options)))
      return 0
    case 'revoke': {
      const revoked = keySchema.parse(
        await call(options, 'DELETE', `/${encodeURIComponent(options.id)}`),
      )
      print(`${revoked.id} (${revoked.prefix}..., ${revoked.name}) is revoked\n`)
      return 0
    }
  }
}

const print = (text: string): void => void process.stdout.write(text)

async function listKeys(options: KeysOptions): Promise<z.infer<typeof keySchema>[]> {
  const found: z.infer<typeof keySchema>[] = []
  const tenant = options.action === 'list' ? options.tenant : undefined
  for (;;) {
    const query = new URLSearchParams({ after: found.at(-1)?.id ?? '' })
    if (tenant !== undefined) query.set('tenant', tenant)
    const page = pageSchema.parse(await call(options, 'GET', `?${query.toString()}`))
    found.push(...page.data)
    if (!page.has_more) return found
  }
}

/** Lines with one key each, in columns. */
export function formatKeys(list: readonly z.infer<typeof keySchema>[]): string {
  const rows = list.map((key) => [
    key.id,
    `${key.prefix}...`,
    key.tenant,
    key.name,
    key.scopes.join(','),
    `${key.requests_per_minute} req/min`,
    `${key.tokens_per_minute} tok/min`,
    key.tokens_per_month === null ? 'no quota' : `${key.tokens_per_month} tok/month`,
    stateOf(key),
  ])
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return lines.length === 0 ? 'no keys\n' : `${lines.join('\n')}\n`
}

function stateOf(key: z.infer<typeof keySchema>): string {
  const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10)
  if (key.revoked_at !== null) return `revoked ${day(key.revoked_at)}`
  if (key.expires_at !== null) return `until ${day(key.expires_at)}`
  return `since ${day(key.created_at)}`
}

async function call(
  { url, adminKey }: KeysOptions,
  method: string,
  rest: string,
  body?: object,
): Promise<unknown> {
  const answer = await fetch(`${url}/v1/admin/keys${rest}`, {
    method,
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    throw new CliError(`no edge answers at ${url}`, { cause })
  })
  const json: unknown = await answer.json().catch(() => undefined)
  if (answer.ok) return json
  const said = envelopeSchema.safeParse(json).data?.error.message
  throw new CliError(`${url} answered ${answer.status}: ${said ?? 'without saying why'}`)
}
