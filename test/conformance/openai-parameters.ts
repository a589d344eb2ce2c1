import assert from 'node:assert/strict'
import type OpenAI from 'openai'
import { userSays } from './case.ts'
import type { ConformanceCase, Target } from './case.ts'

/** How a parameter fares: a value that is served, or one that is refused by the parameter's name. */
type Verdict = { served: unknown } | { refused: unknown }

type ChatParameter = keyof OpenAI.ChatCompletionCreateParamsNonStreaming
type CompletionParameter = keyof OpenAI.CompletionCreateParamsNonStreaming

/**
 * Every parameter the client's types know: a new one in a new version of the package does not
 * compile until it is decided here.
 */
const CHAT: Record<Exclude<ChatParameter, 'model' | 'messages'>, Verdict> = {
  audio: { refused: { voice: 'alloy', format: 'mp3' } },
  frequency_penalty: { refused: 0.5 },
  function_call: { refused: { name: 'f' } },
  functions: { refused: [{ name: 'f' }] },
  logit_bias: { refused: { 50: 10 } },
  logprobs: { served: true },
  max_completion_tokens: { served: 2 },
  max_tokens: { served: 2 },
  metadata: { served: { team: 'a' } },
  modalities: { refused: ['text', 'audio'] },
  moderation: { refused: {} },
  n: { served: 2 },
  parallel_tool_calls: { served: true },
  prediction: { refused: { type: 'content', content: 'x' } },
  presence_penalty: { refused: 0.5 },
  prompt_cache_key: { served: 'a' },
  prompt_cache_options: { refused: {} },
  prompt_cache_retention: { refused: '24h' },
  reasoning_effort: { refused: 'low' },
  response_format: { served: { type: 'text' } },
  safety_identifier: { served: 'a' },
  seed: { served: 1 },
  service_tier: { refused: 'priority' },
  stop: { served: ['a', 'b'] },
  store: { refused: true },
  stream: { served: false },
  stream_options: { served: null },
  temperature: { served: 0.5 },
  tool_choice: { refused: 'required' },
  tools: { refused: [{ type: 'function', function: { name: 'f' } }] },
  top_logprobs: { served: 0 },
  top_p: { served: 0.9 },
  user: { served: 'a' },
  verbosity: { refused: 'low' },
  web_search_options: { refused: {} },
}

const COMPLETION: Record<Exclude<CompletionParameter, 'model' | 'prompt'>, Verdict> = {
  best_of: { refused: 2 },
  echo: { refused: true },
  frequency_penalty: { refused: 0.5 },
  logit_bias: { refused: { 50: 10 } },
  logprobs: { served: 1 },
  max_tokens: { served: 2 },
  n: { served: 2 },
  presence_penalty: { refused: 0.5 },
  seed: { served: 1 },
  stop: { served: 'a' },
  stream: { served: false },
  stream_options: { served: null },
  suffix: { refused: 'x' },
  temperature: { served: 0.5 },
  top_p: { served: 0.9 },
  user: { served: 'a' },
}

async function check(
  target: Target,
  path: string,
  options: { body: object; verdicts: Record<string, Verdict> },
): Promise<void> {
  for (const [name, verdict] of Object.entries(options.verdicts)) {
    const value = 'served' in verdict ? verdict.served : verdict.refused
    const limit = name.startsWith('max_') ? {} : { max_tokens: 2 }
    const response = await fetch(`${target.edgeUrl}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${target.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: target.model, ...options.body, ...limit, [name]: value }),
    })
    const answer = (await response.json()) as { error?: { param: string; code: string } }
    if ('served' in verdict) {
      assert.equal(response.status, 200, `${name}: ${JSON.stringify(answer)}`)
    } else {
      const { param, code } = answer.error ?? {}
      assert.deepEqual([response.status, param, code], [400, name, 'unsupported_parameter'])
    }
  }
}

export const openAiParameterCases: readonly ConformanceCase[] = [
  {
    name: `each of its ${Object.keys(CHAT).length} chat parameters is served or refused by name`,
    run: (target) =>
      check(target, '/v1/chat/completions', {
        body: { messages: userSays('hi') },
        verdicts: CHAT,
      }),
  },
  {
    name: `each of its ${Object.keys(COMPLETION).length} completion parameters likewise`,
    run: (target) =>
      check(target, '/v1/completions', { body: { prompt: 'hi' }, verdicts: COMPLETION }),
  },
]
