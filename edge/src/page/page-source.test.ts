import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modelIdSchema } from '@setblock/shared'
import { PAGE_FOLDER } from './page-source.ts'

test('no model can have an id that takes the page’s place among the assets', () => {
  assert.equal(modelIdSchema.safeParse(PAGE_FOLDER).success, false)
})
