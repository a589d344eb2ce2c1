import { request } from './request-failed.ts'

/** What the page reads of `GET /v1/models`. */
export interface ModelFacts {
  id: string
  name: string
  context_length: number
  max_block_length: number
  defaults: { gamma: number; rule: string; block_length: number }
}

/** The models this key may use; also how a key is tried. @throws RequestFailed */
export async function listModels(key: string): Promise<ModelFacts[]> {
  const response = await request('/v1/models', { headers: { authorization: `Bearer ${key}` } })
  return ((await response.json()) as { data: ModelFacts[] }).data
}
