import type { GenerateBody } from './settings.ts'

export const LANGUAGES = ['curl', 'TypeScript', 'Python'] as const
export type Language = (typeof LANGUAGES)[number]

interface SnippetFacts {
  /** Where the API is; no trailing slash. */
  origin: string
  body: GenerateBody
}

/** A program that sends the request and prints the text. The key comes from SETBLOCK_KEY. */
export function snippet(language: Language, facts: SnippetFacts): string {
  switch (language) {
    case 'curl':
      return curl(facts)
    case 'TypeScript':
      return typescript(facts)
    case 'Python':
      return python(facts)
  }
}

function curl({ origin, body }: SnippetFacts): string {
  // Inside single quotes a shell takes everything as it is, but for the quote itself.
  const json = JSON.stringify(body, undefined, 2).replaceAll("'", String.raw`'\''`)
  return `curl -N ${origin}/v1/generate \\
  -H "Authorization: Bearer $SETBLOCK_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '${json}'
`
}

function typescript({ origin, body }: SnippetFacts): string {
  return `import { EventSourceParserStream } from 'eventsource-parser/stream'

const response = await fetch('${origin}/v1/generate', {
  method: 'POST',
  headers: {
    authorization: \`Bearer \${process.env.SETBLOCK_KEY}\`,
    'content-type': 'application/json',
  },
  body: JSON.stringify(${JSON.stringify(body, undefined, 2).replaceAll('\n', '\n  ')}),
})
if (!response.ok) throw new Error(await response.text())

const events = response
  .body!.pipeThrough(new TextDecoderStream())
  .pipeThrough(new EventSourceParserStream())
for await (const { data } of events) {
  const event = JSON.parse(data)
  if (event.type === 'text') process.stdout.write(event.delta)
  if (event.type === 'end') console.log('\\n', event.usage)
  if (event.type === 'error') throw new Error(event.error.message)
}
`
}

function python({ origin, body }: SnippetFacts): string {
  // JSON escapes its quotes, so three in a row never end the string early.
  const json = JSON.stringify(body, undefined, 2)
  return `import json, os, urllib.request

body = json.loads(r"""
${json}
""")
request = urllib.request.Request(
    "${origin}/v1/generate",
    data=json.dumps(body).encode(),
    headers={
        "Authorization": "Bearer " + os.environ["SETBLOCK_KEY"],
        "Content-Type": "application/json",
    },
)
with urllib.request.urlopen(request) as response:
    for line in response:
        if not line.startswith(b"data: "):
            continue
        event = json.loads(line[6:])
        if event["type"] == "text":
            print(event["delta"], end="", flush=True)
        elif event["type"] == "end":
            print("\\n", event["usage"])
        elif event["type"] == "error":
            raise SystemExit(event["error"]["message"])
`
}
