/** What to tell the person who started the stack: where it is, and something to paste. */
export interface BannerFacts {
  readonly edgeUrl: string
  readonly workerUrl: string
  readonly demoKey: string
  readonly model: string
  readonly logFolder: string
}

const QUESTION = 'Tell me a short story about a fox.'

export function banner({ edgeUrl, workerUrl, demoKey, model, logFolder }: BannerFacts): string {
  const body = JSON.stringify({
    model,
    stream: true,
    // Greedy stories of a small model run in circles.
    temperature: 0.7,
    messages: [{ role: 'user', content: QUESTION }],
  })
  return `Setblock is ready.

  page     ${edgeUrl}/#key=${demoKey}
  API      ${edgeUrl}/v1
  key      ${demoKey}
  worker   ${workerUrl}
  logs     ${logFolder}

Try it:

curl -N ${edgeUrl}/v1/chat/completions \\
  -H 'Authorization: Bearer ${demoKey}' \\
  -H 'Content-Type: application/json' \\
  -d '${body}'

Ctrl-C stops both.
`
}
