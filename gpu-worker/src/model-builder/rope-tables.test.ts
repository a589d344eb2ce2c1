import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import { parseConfig } from './hf-config.ts'
import { ropeTables } from './rope-tables.ts'
import { GOLDEN_NAMES, goldenFolder, readGolden } from '../testing/golden-cases.ts'

for (const name of GOLDEN_NAMES.filter((each) => each.startsWith('hf-'))) {
  test(`${name}: the rotation tables are those of transformers`, async () => {
    const config = JSON.parse(await readFile(join(goldenFolder(name), 'config.json'), 'utf8'))
    const { architecture, maxPositions } = parseConfig(config)
    const { cos, sin } = ropeTables(architecture, maxPositions)
    const half = architecture.headSize / 2
    const { rope } = await readGolden(name)
    assert.equal(rope.length, 3)
    for (const { position, cos: cosines, sin: sines } of rope) {
      assert.equal(cosines.length, half)
      for (let i = 0; i < half; i++) {
        const at = position * half + i
        // Theirs come from frequencies in float32, which are off by up to 6e-8 of the angle.
        assert.ok(Math.abs(cos[at]! - cosines[i]!) < 2e-5, `position ${position}, cos ${i}`)
        assert.ok(Math.abs(sin[at]! - sines[i]!) < 2e-5, `position ${position}, sin ${i}`)
      }
    }
  })
}
