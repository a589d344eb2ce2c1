import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Manifest } from '@setblock/shared'
import {
  chooseDevice,
  chooseForm,
  dependsOnAdapter,
  type Device,
  type Precision,
} from './device.ts'
import { ModelError } from './model-error.ts'

/** Of a manifest only the graphs matter here; forms as `device/precision`. */
function withForms(...forms: `${Device}/${Precision}`[]): Manifest {
  const graphs = forms.map((form) => {
    const [provider, precision] = form.split('/')
    return { provider, precision, file: `${provider}.${precision}.onnx`, sha256: '0'.repeat(64) }
  })
  return { graphs } as unknown as Manifest
}

const both = withForms('cpu/int8', 'cpu/fp32', 'webgpu/fp16', 'webgpu/q4f16', 'cuda/fp16')

test('a device that was asked for is taken as it is', () => {
  for (const device of ['cpu', 'webgpu', 'cuda'] as const) {
    assert.equal(chooseDevice(both, { device }, true), device)
    assert.equal(chooseDevice(both, { device }, false), device)
    assert.equal(dependsOnAdapter(both, { device }), false)
  }
})

test('auto takes WebGPU where there is an adapter and a graph, else the CPU, and never CUDA', () => {
  const auto = { device: 'auto' } as const
  assert.equal(chooseDevice(both, auto, true), 'webgpu')
  assert.equal(chooseDevice(both, auto, false), 'cpu')
  const without = withForms('cpu/int8', 'cuda/fp16')
  assert.equal(chooseDevice(without, auto, true), 'cpu')
  assert.equal(dependsOnAdapter(without, auto), false)
})

test('auto with a precision that only the CPU has stays on the CPU, without asking for a GPU', () => {
  const int8 = { device: 'auto', precision: 'int8' } as const
  assert.equal(dependsOnAdapter(both, int8), false)
  assert.equal(chooseDevice(both, int8, true), 'cpu')
  assert.equal(chooseDevice(both, { device: 'auto', precision: 'fp16' }, true), 'webgpu')
})

test('without a precision the best that the model has for the device', () => {
  assert.equal(chooseForm(both, 'cpu').precision, 'int8')
  assert.equal(chooseForm(withForms('cpu/fp32'), 'cpu').precision, 'fp32')
  assert.equal(chooseForm(both, 'webgpu').precision, 'q4f16')
  assert.equal(chooseForm(withForms('webgpu/fp32', 'webgpu/fp16'), 'webgpu').precision, 'fp16')
  assert.equal(chooseForm(both, 'cuda').precision, 'fp16')
})

test('a form that is not there is refused, with those that are', () => {
  const refuses = (device: Device, precision: Precision | undefined, message: string): void =>
    assert.throws(
      () => chooseForm(withForms('cpu/int8', 'webgpu/fp16'), device, precision),
      (error) => error instanceof ModelError && error.message === message,
    )
  const has = '(has: cpu int8, webgpu fp16)'
  refuses('cpu', 'fp32', `setblock.json graphs: has no cpu fp32 graph ${has}`)
  refuses('webgpu', 'q4f16', `setblock.json graphs: has no webgpu q4f16 graph ${has}`)
  refuses('cuda', undefined, `setblock.json graphs: has no cuda graph ${has}`)
})
