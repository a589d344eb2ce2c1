import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { fullFormats } from 'ajv-formats/dist/formats.js'
import * as fc from 'fast-check'
import * as z from 'zod'
import { accepts, randomText, startOf, takes } from '../../testing/schema-texts.ts'

const ajv = new Ajv2020({
  strict: false,
  formats: fullFormats,
  multipleOfPrecision: 9,
  logger: false,
})

/** Strings of each format, and strings that are none. */
const FORMATS: Readonly<Record<string, [valid: string[], invalid: string[]]>> = {
  date: [
    ['2024-02-29', '2000-02-29', '2023-12-31', '1999-04-30'],
    ['2023-02-29', '1900-02-29', '2100-02-29', '2023-04-31', '2023-13-01', '2023-00-10', '23-1-1'],
  ],
  time: [
    ['12:34:56Z', '00:00:00.123+02:00', '23:59:59-11:30'],
    ['24:00:00Z', '12:60:00Z', '12:34:56', '12:34Z', '12:34:56+24:00', '12:34:56.Z'],
  ],
  'date-time': [
    ['2024-02-29T12:00:00Z', '2023-01-01T00:00:00.5+01:00'],
    ['2023-02-29T12:00:00Z', '2023-01-01 00:00:00Z', '2023-01-01', '2023-01-01T00:00:00'],
  ],
  duration: [
    ['P1Y2M3D', 'P3D', 'PT1H', 'P1DT12H30M5S', 'P10W', 'PT36M'],
    ['P', 'PT', 'P1H', '1D', 'P1D2Y', 'P1W1D', 'P1.5D', 'P1DT'],
  ],
  email: [
    ['ada@example.com', "a.b+c!#'x@mail.example.co", `${'a'.repeat(64)}@b.co`],
    [
      'ada',
      'ada@b',
      '.a@b.co',
      'a.@b.co',
      'a..b@c.de',
      'a@-b.co',
      'a@b-.co',
      'a b@c.de',
      'a@b.c.1',
      `${'a'.repeat(65)}@b.co`,
      `a@${'b'.repeat(64)}.co`,
      `a@${'b.'.repeat(130)}co`,
    ],
  ],
  hostname: [
    ['example.com', 'localhost', 'a-b.c3', `${'a'.repeat(63)}.de`, `${'a.'.repeat(125)}com`],
    ['-a.b', 'a-.b', 'a..b', '', 'a_b', `${'a'.repeat(64)}.de`, `${'a.'.repeat(126)}com`, 'a.1'],
  ],
  ipv4: [
    ['0.0.0.0', '255.249.199.99', '127.0.0.1'],
    ['256.0.0.1', '1.2.3', '01.2.3.4', '1.2.3.4.5'],
  ],
  ipv6: [
    [
      '::',
      '::1',
      '1::',
      'fe80::1:2',
      '1:2:3:4:5:6:7:8',
      '1:2:3:4:5:6:7::',
      '2001:DB8::ff00:42:8329',
    ],
    [':', ':::', '1:2:3', '1::2::3', '12345::', '1:2:3:4:5:6:7:8:9', '::1:2:3:4:5:6:7:8', 'g::'],
  ],
  uuid: [
    ['123e4567-E89B-12d3-a456-426614174000'],
    ['123e4567e89b12d3a456426614174000', '123e4567-e89b-12d3-a456-42661417400', 'x'.repeat(36)],
  ],
  uri: [
    [
      'https://example.com',
      'http://a.b:8080/c/d.html?q=1&r=%20#e',
      'ftp://127.0.0.1/',
      'http://[::1]:1/',
      'mailto:ada@example.com',
      'urn:isbn:0451450523',
      'http://localhost:65535',
    ],
    [
      'example.com',
      '//a.b',
      'http://',
      'http:x',
      'http://a b',
      'http://a.b/%zz',
      'http://1.2.3.400/',
      'http://a:65536',
      'https://',
      '1a:b',
      'mailto:',
    ],
  ],
}

test('formats take their strings and no others', () => {
  for (const [format, [valid, invalid]] of Object.entries(FORMATS)) {
    const start = startOf({ format })
    for (const text of valid) {
      assert.ok(takes(start, JSON.stringify(text)), `${format}: ${text}`)
      assert.ok(ajv.validate({ format }, text), `${format}: ${text} by ajv`)
    }
    for (const text of invalid) {
      assert.ok(!takes(start, JSON.stringify(text)), `${format}: not ${text}`)
    }
  }
})

/** What a model that takes anything would write. */
function* textsOf(schema: object, count: number): Generator<string> {
  const start = startOf(schema)
  for (const random of fc.sample(fc.infiniteStream(fc.nat()), { numRuns: count, seed: 1 })) {
    const next = (): number => random.next().value
    yield randomText(start, next, next() % 60)
  }
}

test('whatever is written in a format is valid by other readers', () => {
  const readers: Readonly<Record<string, (text: string) => unknown>> = {
    date: (text) => assert.equal(new Date(`${text}T00:00:00Z`).toISOString().slice(0, 10), text),
    'date-time': (text) => assert.ok(!Number.isNaN(Date.parse(text))),
    uri: (text) => new URL(text),
  }
  for (const format of Object.keys(FORMATS)) {
    for (const text of textsOf({ type: 'string', format }, 30)) {
      const value = JSON.parse(text) as string
      assert.ok(ajv.validate({ format }, value), `${format}: ${text}`)
      readers[format]?.(value)
    }
  }
})

/** As people write them with Zod. */
const ZOD: Readonly<Record<string, z.ZodType>> = {
  email: z.email(),
  emailOfHtml: z.email({ pattern: z.regexes.html5Email }),
  uuid: z.uuid(),
  uuid4: z.uuidv4(),
  guid: z.guid(),
  date: z.iso.date(),
  time: z.iso.time(),
  dateTime: z.iso.datetime(),
  dateTimeWithOffset: z.iso.datetime({ offset: true }),
  localDateTime: z.iso.datetime({ local: true }),
  milliseconds: z.iso.datetime({ precision: 3 }),
  duration: z.iso.duration(),
  url: z.url(),
  hostname: z.hostname(),
  ipv4: z.ipv4(),
  ipv6: z.ipv6(),
  cidr: z.cidrv4(),
  mac: z.mac(),
  cuid: z.cuid(),
  cuid2: z.cuid2(),
  ulid: z.ulid(),
  nanoid: z.nanoid(),
  xid: z.xid(),
  ksuid: z.ksuid(),
  base64: z.base64(),
  base64url: z.base64url(),
  e164: z.e164(),
  emoji: z.emoji(),
  hex: z.hex(),
  sha256: z.hash('sha256'),
  expression: z.string().regex(/^[A-Z]{2}\d+$/),
  several: z.string().startsWith('a.').includes('b').endsWith('c').min(5).max(9),
  cases: z.string().lowercase(),
  template: z.templateLiteral(['v', z.int(), '.', z.enum(['x', 'y'])]),
  integer: z.int(),
  positive: z.number().int().positive(),
  price: z.number().multipleOf(0.01).min(0).max(100),
  step: z.number().multipleOf(2.5).min(-10).max(10),
}

test('schemas that Zod makes are held to, and Zod takes the answers', () => {
  for (const [name, type] of Object.entries(ZOD)) {
    for (const target of ['draft-2020-12', 'draft-7'] as const) {
      const schema = z.toJSONSchema(type, { target })
      const { $schema: _, ...checked } = schema
      for (const text of textsOf(schema, 6)) {
        const value: unknown = JSON.parse(text)
        const told = `${name}: ${text}`
        assert.ok(ajv.validate(checked, value), told)
        const parsed = type.safeParse(value)
        assert.ok(parsed.success, `${told}: ${parsed.error?.message}`)
      }
    }
  }
})

test('a format that is not enforced is refused, but for a mere name beside a pattern', () => {
  const pattern = '^[a-z]+$'
  assert.ok(accepts({ format: 'nanoid', pattern }, '"abc"'))
  assert.ok(!accepts({ format: 'nanoid', pattern }, '"ABC"'))
  assert.throws(() => startOf({ contentEncoding: 'base64' }), { message: /needs a pattern/ })
  for (const schema of [{ format: 'nanoid' }, { format: 'iri' }, { format: 'iri', pattern }]) {
    assert.throws(() => startOf({ items: schema }), {
      code: 'invalid_request',
      message: /is not enforced here: the format at \/items\/format$/,
    })
  }
})

test('a format holds together with a pattern and lengths', () => {
  const schema = { format: 'date', pattern: '^202[34]-02-(?:29|30)' }
  assert.ok(accepts(schema, '"2024-02-29"'))
  assert.ok(!accepts(schema, '"2023-02-29"'))
  assert.ok(!accepts(schema, '"2024-02-30"'))
  assert.throws(() => startOf({ format: 'date', pattern: '^2023-02-29' }), { message: /no string/ })
  assert.throws(() => startOf({ format: 'uuid', maxLength: 35 }), { message: /no string/ })
  assert.ok(accepts({ format: 'email', maxLength: 6 }, '"a@b.co"'))
  assert.ok(!accepts({ format: 'email', maxLength: 6 }, '"ab@b.co"'))
})
