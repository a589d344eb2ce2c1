import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { stripTypeScriptTypes } from 'node:module'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { DEFAULT_SETTINGS, toBody } from './settings.ts'
import { snippet } from './snippets.ts'

/** Everything that a shell, a template or a Python string could trip over. */
const content = `it's "quoted" \${x} \`tick\` \\n \\ """ '''\nnew line é 🎉 $HOME`
const facts = {
  origin: 'http://127.0.0.1:8787',
  body: toBody(DEFAULT_SETTINGS, { model: 'm', messages: [{ role: 'user', content }] }),
}

test('curl: the shell hands over the body as it is', () => {
  const command = snippet('curl', facts).replace(/^curl/, String.raw`printf '%s\0'`)
  const shown = execFileSync('sh', ['-c', command], { env: { SETBLOCK_KEY: 'sb-1' } }).toString()
  const args = shown.split('\0')
  assert.ok(args.includes('Authorization: Bearer sb-1'))
  assert.deepEqual(JSON.parse(args.at(-2) ?? ''), facts.body)
})

test('TypeScript: it is valid, and its body is the body', () => {
  const code = snippet('TypeScript', facts)
  stripTypeScriptTypes(code)
  const literal = /JSON\.stringify\(([\s\S]*?)\),\n\}\)/.exec(code)?.[1]
  const body = runInNewContext(`JSON.stringify(${literal})`) as string
  assert.deepEqual(JSON.parse(body), facts.body)
})

const python = spawnSync('python3', ['--version']).status === 0
test('Python: it compiles, and its body is the body', { skip: !python }, () => {
  const code = snippet('Python', facts)
  const body = code.slice(0, code.indexOf('request = '))
  const shown = execFileSync('python3', ['-c', `${body}\nprint(json.dumps(body))`]).toString()
  assert.deepEqual(JSON.parse(shown), facts.body)
  execFileSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: code })
})
