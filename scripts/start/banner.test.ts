import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { banner } from './banner.ts'

const facts = {
  edgeUrl: 'http://127.0.0.1:8787',
  workerUrl: 'http://127.0.0.1:8788',
  demoKey: 'sb-demo-key',
  model: { id: 'setblock-nano', chats: true },
  worker: { models: ['setblock-nano (cpu int8)', 'other (cpu fp32)'], peakMebibytes: 120 },
  logFolder: '/logs',
} as const
const text = banner(facts)

test('it names the models, what runs them and the memory of the worker', () => {
  assert.match(text, /^ {2}models {3}setblock-nano \(cpu int8\), other \(cpu fp32\)$/m)
  assert.match(text, /^ {2}worker {3}http:\/\/127\.0\.0\.1:8788, 120 MiB of memory$/m)
})

test('a model without a chat template is asked to complete a text', () => {
  const plain = banner({ ...facts, model: { id: 'base', chats: false } })
  assert.match(plain, /^curl -N http:\/\/127\.0\.0\.1:8787\/v1\/completions /m)
  assert.match(plain, /"model":"base","stream":true,.*"prompt":"Once upon a time"/)
})

test('the link to the page brings the key along, where no server sees it', () => {
  assert.ok(text.includes(' http://127.0.0.1:8787/#key=sb-demo-key\n'))
})

test('the command to paste is one shell command with a valid body', () => {
  const command = text.slice(text.indexOf('curl'), text.indexOf('\n\nCtrl-C'))
  // The shell itself splits it, with curl replaced by something that shows its arguments.
  const shown = execFileSync('sh', ['-c', command.replace(/^curl/, String.raw`printf '%s\n'`)])
  const args = shown.toString().trimEnd().split('\n')
  assert.deepEqual(args.slice(0, 2), ['-N', 'http://127.0.0.1:8787/v1/chat/completions'])
  assert.ok(args.includes('Authorization: Bearer sb-demo-key'))
  assert.partialDeepStrictEqual(JSON.parse(args.at(-1) ?? ''), {
    model: 'setblock-nano',
    stream: true,
  })
})
