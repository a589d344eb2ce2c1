import type { Stack } from './stack.ts'

/** What to tell the person who started the stack: where it is, and something to paste. */
export type BannerFacts = Pick<
  Stack,
  'edgeUrl' | 'workerUrl' | 'demoKey' | 'model' | 'worker' | 'logFolder'
>

const QUESTION = 'Tell me a short story about a fox.'
const OPENING = 'Once upon a time'
const OPENING_TOKENS_MAX = 60

export function banner(facts: BannerFacts): string {
  const { edgeUrl, workerUrl, demoKey, worker, logFolder } = facts
  return `Setblock is ready.

  page     ${edgeUrl}/#key=${demoKey}
  API      ${edgeUrl}/v1
  key      ${demoKey}
  models   ${worker.models.join(', ')}
  worker   ${workerUrl}, ${worker.peakMebibytes} MiB of memory
  logs     ${logFolder}

Try it:

${tryIt(facts)}

Ctrl-C stops both.
`
}

/** A command to paste: a question, or for a model without a chat template a text to go on with. */
function tryIt({ edgeUrl, demoKey, model }: BannerFacts): string {
  // Greedy stories of a small model run in circles.
  const request = { model: model.id, stream: true, temperature: 0.7 }
  const route = model.chats ? 'chat/completions' : 'completions'
  const body = model.chats
    ? { ...request, messages: [{ role: 'user', content: QUESTION }] }
    : { ...request, prompt: OPENING, max_tokens: OPENING_TOKENS_MAX }
  return `curl -N ${edgeUrl}/v1/${route} \\
  -H 'Authorization: Bearer ${demoKey}' \\
  -H 'Content-Type: application/json' \\
  -d '${JSON.stringify(body)}'`
}
