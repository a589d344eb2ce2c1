import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SchemaRules } from './schema-rules.ts'

test('a schema is read once, and so is one that is refused', () => {
  const rules = new SchemaRules()
  const schema = '{"type":"string","format":"date"}'
  assert.equal(rules.read(schema), rules.read(schema))
  const refused = (): unknown => {
    try {
      return rules.read('{"pattern":"("}')
    } catch (error) {
      return error
    }
  }
  assert.ok(refused() instanceof Error)
  assert.equal(refused(), refused())
})

test('only the schemas that came last are kept', () => {
  const rules = new SchemaRules()
  const schema = (length: number): string => JSON.stringify({ type: 'string', maxLength: length })
  const [first, second] = [rules.read(schema(0)), rules.read(schema(1))]
  for (let length = 2; length < 64; length += 1) rules.read(schema(length))
  assert.equal(rules.read(schema(0)), first)
  rules.read(schema(64))
  assert.equal(rules.read(schema(0)), first)
  assert.notEqual(rules.read(schema(1)), second)
})
