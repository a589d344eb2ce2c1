import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProgressView } from './build-progress.ts'

function setUp(isTTY: boolean) {
  const written: string[] = []
  let nowMs = 0
  const view = new ProgressView({ write: (text) => written.push(text), isTTY }, () => nowMs)
  const show = (ms: number, stage: string, bytesDone: number, bytesResumed = 0): void => {
    nowMs = ms
    view.show({ stage, bytesDone, bytesTotal: 400e6, bytesResumed })
  }
  return { written, show }
}

test('without a terminal: a line for each quarter', () => {
  const { written, show } = setUp(false)
  for (let done = 0; done <= 10; done++) show(done * 200, 'digest', done * 40e6)
  show(3000, 'graph.int8.onnx', 100e6, 100e6)
  show(5000, 'graph.int8.onnx', 400e6, 100e6)
  assert.deepEqual(written, [
    'checkpoint: 30 % of 400 MB\n',
    'checkpoint: 50 % of 400 MB, 200 MB/s\n',
    'checkpoint: 80 % of 400 MB, 200 MB/s\n',
    'checkpoint: 100 % of 400 MB, 200 MB/s\n',
    'graph.int8.onnx: 25 % of 400 MB, 100 MB of an earlier build\n',
    'graph.int8.onnx: 100 % of 400 MB, 150 MB/s, 100 MB of an earlier build\n',
  ])
})

test('in a terminal: one line drawn again, not too often, and ended when it is full', () => {
  const { written, show } = setUp(true)
  show(0, 'digest', 0)
  show(20, 'digest', 100e6)
  show(120, 'digest', 200e6)
  show(121, 'digest', 400e6)
  assert.deepEqual(written, [
    '\r[..............................] checkpoint: 0 % of 400 MB\u001B[K',
    '\r[###############...............] checkpoint: 50 % of 400 MB\u001B[K',
    '\r[##############################] checkpoint: 100 % of 400 MB\u001B[K\n',
  ])
})
