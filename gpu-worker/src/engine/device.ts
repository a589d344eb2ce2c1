import type { GraphFile, Manifest } from '@setblock/shared'

import { ModelError } from './model-error.ts'

/** What runs a model's forwards; each needs a graph of its own. */
export type Device = GraphFile['provider']

/** `auto`: a GPU through WebGPU where there is one and the model has a graph for it, else the CPU. */
export type DeviceChoice = 'auto' | Device

export type Precision = GraphFile['precision']

export const DEVICE_CHOICES = ['auto', 'cpu', 'webgpu', 'cuda'] as const satisfies DeviceChoice[]
export const PRECISIONS = ['int8', 'fp32', 'fp16', 'q4f16'] as const satisfies Precision[]

/** What each device should run, the best first. */
const PREFERRED: Readonly<Record<Device, readonly Precision[]>> = {
  cpu: ['int8', 'fp32'],
  webgpu: ['q4f16', 'fp16', 'fp32'],
  cuda: ['fp16', 'fp32'],
}

/** What an operator asks for. */
export interface FormWish {
  readonly device: DeviceChoice
  /** The device's best that the model has, if absent. */
  readonly precision?: Precision | undefined
}

/**
 * The device that a model is served on. CUDA is taken only when it is asked for: keys and values
 * cross the bus there in every forward.
 *
 * @param adapter whether WebGPU has found a GPU; only asked where `dependsOnAdapter`
 */
export function chooseDevice(manifest: Manifest, wish: FormWish, adapter: boolean): Device {
  if (wish.device !== 'auto') return wish.device
  return adapter && dependsOnAdapter(manifest, wish) ? 'webgpu' : 'cpu'
}

/** Whether it has to be known if there is a GPU: looking for one takes time and loads its driver. */
export function dependsOnAdapter(manifest: Manifest, { device, precision }: FormWish): boolean {
  return device === 'auto' && findForm(manifest, 'webgpu', precision) !== undefined
}

/** @throws ModelError naming the forms there are, if the model has none for this device. */
export function chooseForm(manifest: Manifest, device: Device, precision?: Precision): GraphFile {
  const form = findForm(manifest, device, precision)
  if (form !== undefined) return form
  const wanted = precision === undefined ? device : `${device} ${precision}`
  const forms = manifest.graphs.map((graph) => `${graph.provider} ${graph.precision}`).join(', ')
  throw new ModelError('setblock.json graphs', `has no ${wanted} graph (has: ${forms})`)
}

function findForm(
  { graphs }: Manifest,
  device: Device,
  precision: Precision | undefined,
): GraphFile | undefined {
  const wanted = precision === undefined ? PREFERRED[device] : [precision]
  return wanted
    .map((each) => graphs.find((graph) => graph.provider === device && graph.precision === each))
    .find((graph) => graph !== undefined)
}
