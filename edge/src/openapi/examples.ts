/** Requests and answers for the reference, in pairs; a test holds them against the schemas. */
const usage = {
  prompt_tokens: 29,
  completion_tokens: 24,
  total_tokens: 53,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
  forward_passes: 6,
  forward_passes_details: { prefill: 0, decode: 6 },
  tokens_per_forward: 4,
  effective_gamma: null,
  queue_ms: 0.1,
  prefill_ms: 1.9,
  decode_ms: 9.4,
}
const head = {
  created: 1_795_000_000,
  model: 'setblock-nano',
  system_fingerprint: 'fp_3b8c1f0a92de',
}
const PROMPT = '[order] Please send 3 hats to Ada, Paris. Delivery: Monday.'
const TEXT = '{"customer":"Ada","city":"Paris","items":[{"name":"hats","count":3}]}'

export const EXAMPLES = {
  chatRequest: {
    model: 'setblock-nano',
    messages: [{ role: 'user', content: PROMPT }],
    max_completion_tokens: 100,
  },
  chatCompletion: {
    id: 'chatcmpl-4f1f5b0c2e9d4a7f8f0f1d1c8a6b2e3d',
    object: 'chat.completion',
    ...head,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: TEXT, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage,
  },
  completionRequest: {
    model: 'setblock-nano',
    prompt: 'Once upon a time, there was a little',
    max_tokens: 20,
    temperature: 0.7,
    seed: 7,
  },
  completion: {
    id: 'cmpl-4f1f5b0c2e9d4a7f8f0f1d1c8a6b2e3d',
    object: 'text_completion',
    ...head,
    choices: [{ index: 0, text: ' boat that', logprobs: null, finish_reason: 'length' }],
    usage,
  },
  generationRequest: {
    model: 'setblock-nano',
    messages: [{ role: 'user', content: PROMPT }],
    gamma: 'balanced',
    reveals: true,
  },
  generation: {
    object: 'generation',
    id: 'gen-4f1f5b0c2e9d4a7f8f0f1d1c8a6b2e3d',
    ...head,
    decoding: { mode: 'sbd', block_length: 8, gamma: 0.35, rule: 'strict' },
    seed: 412_087_133,
    text: TEXT,
    finish_reason: 'stop',
    usage: { ...usage, effective_gamma: 0.35 },
    reveals: [
      {
        block: 0,
        step: 0,
        positions: [31, 29],
        tokens: [
          { position: 31, id: 902, text: '":"', entropy: 0.002 },
          { position: 29, id: 311, text: '{"', entropy: 0.0001 },
        ],
      },
    ],
  },
} as const
