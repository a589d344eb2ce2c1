import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'

/** How many tokens a forward brings, and how many rows it takes. */
export interface Acceptance {
  readonly tokensPerForward: number
  /** Of one stream. */
  readonly rowsPerForward: number
  readonly source: string
}

const RESULTS = path.join(import.meta.dirname, '..', 'results')

const benchSchema = z.object({
  date: z.string(),
  model: z.string(),
  ours: z.record(
    z.string(),
    z.object({ tokensPerForward: z.number(), rowsPerForward: z.number() }),
  ),
})

/** What the latest recorded bench measured for a configuration. @throws Error listing those it has */
export async function recordedAcceptance(configuration: string): Promise<Acceptance> {
  const files = (await readdir(RESULTS)).filter((file) => file.startsWith('bench-'))
  const results = await Promise.all(
    files.map(async (file) => ({
      file,
      ...benchSchema.parse(JSON.parse(await readFile(path.join(RESULTS, file), 'utf8'))),
    })),
  )
  const latest = results.sort((a, b) => (a.date < b.date ? 1 : -1))[0]
  const found = latest?.ours[configuration]
  if (latest === undefined || found === undefined) {
    const names = Object.keys(latest?.ours ?? {}).join(', ')
    throw new Error(
      `nothing is recorded for ${configuration} (there are: ${names}); give --tokens-per-forward`,
    )
  }
  return { ...found, source: `measured, ${latest.model}, results/${latest.file}` }
}
