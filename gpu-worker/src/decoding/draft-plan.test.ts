import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { AFTER_FAILURE } from './acceptance.ts'
import { NO_DRAFT, planDraft, type DraftOptions, type DraftPlan } from './draft-plan.ts'

const options = (change: Partial<DraftOptions>): DraftOptions => ({
  chances: [],
  places: new Float64Array(8).fill(0.9),
  room: 1000,
  rowPrice: 0.05,
  rowsMax: 1000,
  ...change,
})

/** What a plan brings over its price, spelled out event by event: the draft holds as a whole, or fails at one token. */
function valueOf({ draft, a, b }: DraftPlan, { chances, places, rowPrice }: DraftOptions): number {
  const draftOf = (masks: number, skipped: number, first: number): number => {
    let [held, value] = [first, 0]
    for (let place = skipped + 1; place < masks; place += 1) {
      held *= places[place]!
      value += Math.max(0, held - rowPrice)
    }
    return value
  }
  let [held, value] = [1, -rowPrice * (draft + a + b)]
  for (let index = 0; index < draft; index += 1) {
    const chance = chances[index]!
    value += held * (1 - chance) * draftOf(a, index, AFTER_FAILURE)
    held *= chance
    value += held
  }
  return value + held * draftOf(b, 0, 1)
}

describe('the rows of a verified forward', () => {
  test('a free row is taken, a dear one never', () => {
    const chances = [0.9, 0.8, 0.7]
    const free = planDraft(options({ chances, rowPrice: 0 }))
    assert.deepEqual([free.draft, free.b], [3, 8])
    assert.deepEqual(planDraft(options({ chances, rowPrice: 1 })), NO_DRAFT)
  })

  test('a draft is cut where its tokens no longer pay', () => {
    const { draft } = planDraft(options({ chances: [0.9, 0.9, 0.02, 0.9], rowPrice: 0.1 }))
    assert.equal(draft, 2)
  })

  test('A pays where the draft is likely to fail and what lies behind it is not', () => {
    const doubtful = planDraft(options({ chances: [0.9, 0.4, 0.9], rowPrice: 0.01 }))
    assert.ok(doubtful.a > 2 && doubtful.b > 1)
    const safe = planDraft(options({ chances: [0.999, 0.999, 0.999], rowPrice: 0.01 }))
    assert.equal(safe.a, 0)
  })

  test('nothing is drafted for where no token may follow', () => {
    assert.deepEqual(planDraft(options({ chances: [0.99, 0.99], room: 3 })), {
      draft: 2,
      a: 0,
      b: 0,
    })
    assert.deepEqual(planDraft(options({ chances: [], room: 2 })), NO_DRAFT)
  })

  const chance = fc.double({ min: 0, max: 1, noNaN: true })
  const any = fc.record({
    chances: fc.array(chance, { maxLength: 7 }),
    places: fc
      .array(chance, { minLength: 2, maxLength: 8 })
      .map((places) => Float64Array.from(places)),
    room: fc.integer({ min: 1, max: 20 }),
    rowPrice: fc.double({ min: 0.001, max: 0.5, noNaN: true }),
    rowsMax: fc.integer({ min: 0, max: 30 }),
  })

  test('within room and rows; never worse than none', () => {
    fc.assert(
      fc.property(any, (given) => {
        const { draft, a, b } = planDraft(given)
        assert.ok(draft + a + b <= given.rowsMax)
        assert.ok(draft <= Math.min(given.chances.length, given.room - 1))
        for (const masks of [a, b]) assert.ok(masks === 0 || masks > 1)
        assert.ok(draft + b < given.room && a < given.room)
        assert.ok(valueOf({ draft, a, b }, given) >= 0)
      }),
    )
  })

  test('no other plan brings more', () => {
    fc.assert(
      fc.property(any, (given) => {
        const roomy = { ...given, rowsMax: 100, room: 100 }
        const { chances, places } = roomy
        const planned = valueOf(planDraft(roomy), roomy)
        for (let draft = 0; draft <= chances.length; draft += 1) {
          for (let a = 0; a <= places.length; a += 1) {
            for (let b = 0; b <= places.length; b += 1) {
              assert.ok(valueOf({ draft, a, b }, roomy) <= planned + 1e-9)
            }
          }
        }
      }),
    )
  })
})
