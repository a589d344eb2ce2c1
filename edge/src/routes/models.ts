import { ApiError } from '@setblock/shared'
import type { Manifest } from '@setblock/shared'
import { Hono } from 'hono'
import type { EdgeBindings, EdgeDeps } from '../deps.ts'

/** What can be asked, in OpenAI's form with the facts that are particular to block decoding. */
export function modelRoutes(deps: EdgeDeps): Hono<EdgeBindings> {
  // Clients expect a date, and manifests carry none: it is when this edge was first asked.
  let since: number | undefined
  const describe = (manifest: Manifest) => {
    since ??= Math.floor(deps.clock() / 1000)
    return describeModel(manifest, since)
  }

  return new Hono<EdgeBindings>()
    .get('/models', async (c) => {
      const manifests = await listServed(deps)
      return c.json({ object: 'list', data: manifests.map(describe) })
    })
    .get('/models/:id', async (c) => {
      const id = c.req.param('id')
      const manifest = (await listServed(deps)).find((candidate) => candidate.id === id)
      if (manifest === undefined) {
        throw new ApiError('model_not_found', 'there is no such model here', { param: 'model' })
      }
      return c.json(describe(manifest))
    })
}

/** The models whose text the edge knows and whose weights a worker has loaded, and both the same. */
async function listServed({ models, workers }: EdgeDeps): Promise<Manifest[]> {
  const [offered, loaded] = await Promise.all([models.list(), workers.loaded()])
  return offered.filter(({ id, tokenizer }) =>
    loaded.some((model) => model.id === id && model.tokenizerSha256 === tokenizer.sha256),
  )
}

function describeModel(
  { id, name, contextLength, maxBlockLength, defaults }: Manifest,
  created: number,
) {
  return {
    id,
    object: 'model',
    created,
    owned_by: 'setblock',
    name,
    context_length: contextLength,
    max_block_length: maxBlockLength,
    defaults: {
      mode: defaults.mode,
      gamma: defaults.gamma,
      rule: defaults.rule,
      block_length: defaults.blockLength,
      temperature: 0,
    },
  }
}
