import * as fc from 'fast-check'

const count = fc.nat(3)
const name = fc.constantFrom('a', 'b', 'ab', 'name', 'größe', 'a"b', '')

const STRINGS = [
  { format: 'date' },
  { format: 'email', maxLength: 12 },
  { format: 'uuid', pattern: '^0' },
  { pattern: '^[A-Z]{2}-\\d{1,3}$' },
  { pattern: 'ß|é', maxLength: 4 },
  { pattern: '^(?!x)[^y]+$', minLength: 2, maxLength: 5 },
]

/** Small JSON Schemas of every kind that is enforced; recursion by reference included. */
export const schemaArbitrary: fc.Arbitrary<object> = fc.letrec<{ node: object }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.constantFrom({ type: 'boolean' }, { type: 'null' }, {}, { type: ['string', 'null'] }),
    fc.record({ enum: fc.array(fc.jsonValue({ maxDepth: 1 }), { minLength: 1, maxLength: 4 }) }),
    fc
      .tuple(count, count)
      .map(([a, b]) => ({ type: 'string', minLength: Math.min(a, b), maxLength: Math.max(a, b) })),
    fc.constantFrom(...STRINGS).map((conditions) => ({ type: 'string', ...conditions })),
    fc
      .tuple(fc.integer({ min: -9, max: 9 }), fc.constantFrom(0.05, 0.5, 3, 2.5))
      .map(([minimum, multipleOf]) => ({
        type: 'number',
        minimum,
        maximum: minimum + 40,
        multipleOf,
      })),
    fc
      .tuple(fc.integer({ min: -120, max: 120 }), fc.nat(150))
      .map(([low, more]) => ({ type: 'integer', minimum: low, maximum: low + more })),
    fc
      .tuple(fc.float({ noNaN: true, min: -10, max: 10 }), fc.integer({ min: 1, max: 9 }))
      .map(([low, more]) => ({ type: 'number', exclusiveMinimum: low, maximum: low + more })),
    fc.tuple(tie('node'), count, count).map(([items, a, b]) => ({
      type: 'array',
      items,
      minItems: Math.min(a, b),
      maxItems: Math.max(a, b),
    })),
    fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    fc
      .tuple(
        fc.dictionary(name, tie('node'), { maxKeys: 3 }),
        fc.option(fc.oneof(fc.boolean(), tie('node')), { nil: undefined }),
        fc.nat(),
      )
      .map(([properties, additionalProperties, pick]) => ({
        type: 'object',
        properties,
        required: Object.keys(properties).filter((_, index) => (pick >> index) % 2 === 0),
        ...(additionalProperties === undefined ? {} : { additionalProperties }),
      })),
    fc.tuple(tie('node'), count).map(([leaf, least]) => ({
      type: 'object',
      properties: {
        leaf,
        next: { anyOf: [{ type: 'null' }, { type: 'array', maxItems: 2, items: leaf }] },
      },
      required: least > 1 ? ['leaf', 'next'] : ['next'],
      additionalProperties: false,
    })),
  ),
})).node
