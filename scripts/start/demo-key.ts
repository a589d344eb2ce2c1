import * as z from 'zod'
import { StartError } from './start-error.ts'
import { saveSecrets, type InstanceSecrets } from './state.ts'

/** Bounds of the demo key: on one's own machine nobody needs protection from oneself. */
const REQUESTS_PER_MINUTE = 100_000
const TOKENS_PER_MINUTE = 100_000_000

const createdSchema = z.object({ key: z.string() })

/**
 * The demo key of the last run if the edge still knows it, else a new one, which is saved.
 *
 * @throws StartError when the edge does not make one.
 */
export async function ensureDemoKey(options: {
  edgeUrl: string
  secrets: InstanceSecrets
  secretsFile: string
}): Promise<string> {
  const { edgeUrl, secrets, secretsFile } = options
  if (secrets.demoKey !== undefined && (await isKnown(edgeUrl, secrets.demoKey))) {
    return secrets.demoKey
  }
  const answer = await fetch(`${edgeUrl}/v1/admin/keys`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${secrets.adminKey}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      tenant: 'demo',
      name: 'demo',
      requests_per_minute: REQUESTS_PER_MINUTE,
      tokens_per_minute: TOKENS_PER_MINUTE,
    }),
  })
  if (answer.status !== 201) {
    throw new StartError(`the edge did not make a demo key: status ${answer.status}`)
  }
  const { key } = createdSchema.parse(await answer.json())
  await saveSecrets(secretsFile, { ...secrets, demoKey: key })
  return key
}

async function isKnown(edgeUrl: string, key: string): Promise<boolean> {
  const answer = await fetch(`${edgeUrl}/v1/models`, {
    headers: { authorization: `Bearer ${key}` },
  })
  await answer.body?.cancel()
  return answer.status === 200
}
