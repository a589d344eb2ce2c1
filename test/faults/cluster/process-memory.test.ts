import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeMemory, fitLine, type NodeMemorySample } from './process-memory.ts'

const sample = (minute: number, residentMb: number): NodeMemorySample => ({
  minute,
  residentMb,
  heapMb: 30,
  externalMb: 10,
  engineHeapMb: 0,
  engineExternalMb: 0,
})

test('the line through a heap that fills and is collected is level, and its noise tells of the teeth', () => {
  const teeth = Array.from({ length: 400 }, (_, index) => sample(index / 10, 200 + (index % 20)))
  const { slope, noise } = fitLine(teeth, ({ residentMb }) => residentMb)
  assert.ok(Math.abs(slope) < 0.05, String(slope))
  // An even spread over 20 MB.
  assert.ok(Math.abs(noise - 20 / Math.sqrt(12)) < 0.2, String(noise))
  const { residentMbByQuarter } = describeMemory(teeth)
  assert.deepEqual(residentMbByQuarter, [
    [200, 219],
    [200, 219],
    [200, 219],
    [200, 219],
  ])
})

test('a leak under the teeth is the slope of the line, and raises the lows of the quarters', () => {
  const leak = Array.from({ length: 400 }, (_, index) =>
    sample(index / 10, 200 + (index % 20) + (3 * index) / 10),
  )
  assert.ok(Math.abs(fitLine(leak, ({ residentMb }) => residentMb).slope - 3) < 0.05)
  const { residentMbByQuarter, slopeMbPerMinute } = describeMemory(leak)
  assert.deepEqual(
    residentMbByQuarter.map(([low]) => low),
    [200, 230, 260, 290],
  )
  // Ten teeth are fewer than the twenty of the whole run: what they add to the slope is more.
  assert.ok(Math.abs(slopeMbPerMinute.secondHalf - 3) < 0.2)
  assert.ok(Math.abs(slopeMbPerMinute.secondHalfHeap) < 0.001)
})
