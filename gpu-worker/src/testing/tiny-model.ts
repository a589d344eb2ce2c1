import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildModel } from '../model-builder/build-model.ts'
import { goldenFolder } from './golden-cases.ts'
import type { GoldenName } from './golden-cases.ts'

export interface TinyModel {
  readonly folder: string
  remove(): Promise<void>
}

/** A real model folder, built from a golden checkpoint. The worker never reads its tokenizer. */
export async function buildTinyModel(
  name: GoldenName = 'golden-llama',
  precision: 'int8' | 'fp32' = 'int8',
): Promise<TinyModel> {
  const folder = await mkdtemp(join(tmpdir(), 'setblock-tiny-'))
  await cp(goldenFolder(name), folder, { recursive: true })
  await buildModel({ folder, targets: [precision === 'int8' ? 'cpu-int8' : precision] })
  return { folder, remove: () => rm(folder, { recursive: true }) }
}
