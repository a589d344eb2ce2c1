import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { limits } from '@setblock/shared'
import type { IContainer } from 'kubernetes-models/v1/Container'
import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec'
import { readSources, repository } from '../tidy/sources.ts'
import { hasKubectl, OVERLAYS, renderOverlay, sourceObjects } from './kubernetes-objects.ts'
import type { ClusterObject } from './kubernetes-objects.ts'
import { findUnknownFields, validateObject } from './kubernetes-types.ts'

interface Workload extends ClusterObject {
  readonly spec: {
    readonly template: IPodTemplateSpec
    readonly selector: { readonly matchLabels: Record<string, string> }
    readonly serviceName?: string
    readonly volumeClaimTemplates?: readonly { metadata?: { name?: string } }[]
  }
}

const isWorkload = (object: ClusterObject): object is Workload =>
  object.kind === 'StatefulSet' || object.kind === 'Deployment'
const containersOf = (workload: Workload): IContainer[] => workload.spec.template.spec!.containers
const withoutKubectl = hasKubectl ? false : 'there is no kubectl to put the overlays together'

const sets: [name: string, skip: string | false, objects: () => ClusterObject[]][] = [
  ['what is written down', false, sourceObjects],
  ...OVERLAYS.map(
    (overlay) =>
      [`overlay ${overlay}`, withoutKubectl, () => renderOverlay(overlay)] as (typeof sets)[number],
  ),
]

for (const [name, skip, read] of sets) {
  describe(`Kubernetes, ${name}`, { skip }, () => {
    const objects = skip === false ? read() : []

    test('every object is what the published schema of its kind says', async () => {
      assert.ok(objects.length >= 12, `${objects.length}`)
      for (const object of objects) await validateObject(object)
    })

    test('no field is unknown to the published types', async () => {
      assert.equal(await findUnknownFields(objects), '')
    })

    test('pods have no rights that they do not need', () => {
      for (const workload of objects.filter(isWorkload)) {
        const pod = workload.spec.template.spec!
        assert.equal(pod.automountServiceAccountToken, false)
        // Else a service of the same name overwrites SETBLOCK_..._PORT.
        assert.equal(pod.enableServiceLinks, false)
        assert.equal(pod.securityContext?.runAsNonRoot, true)
        assert.equal(pod.securityContext?.seccompProfile?.type, 'RuntimeDefault')
        for (const { securityContext, resources } of containersOf(workload)) {
          assert.deepEqual(securityContext, {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          })
          assert.ok(resources?.requests?.['memory'] && resources.limits?.['memory'])
        }
      }
    })

    test('pods are given longer to stop than their programs take', () => {
      for (const workload of objects.filter(isWorkload)) {
        const [container] = containersOf(workload)
        const pause = container?.lifecycle?.preStop?.sleep?.seconds ?? 0
        const grace = workload.spec.template.spec?.terminationGracePeriodSeconds ?? 30
        assert.ok(grace * 1000 > pause * 1000 + limits.drainMs, workload.kind)
        assert.ok(container?.livenessProbe && container.readinessProbe && container.startupProbe)
      }
    })

    test('secrets are named, never written down', () => {
      const variables = objects.filter(isWorkload).flatMap(containersOf)
      const secrets = variables
        .flatMap(({ env = [] }) => env)
        .filter((each) => /SECRET|_KEY/.test(each.name))
      assert.ok(secrets.length >= 4)
      for (const { name, value, valueFrom } of secrets) {
        assert.equal(value, undefined, name)
        assert.ok(valueFrom?.secretKeyRef, name)
      }
      assert.ok(!objects.some(({ kind }) => kind === 'Secret'))
    })

    test('every variable is one that the programs read', () => {
      const sources = ['edge/src', 'gpu-worker/src'].flatMap((folder) =>
        readSources(folder, ['.ts']),
      )
      const text = sources.map((source) => source.text).join('\n')
      for (const { env = [] } of objects.filter(isWorkload).flatMap(containersOf)) {
        for (const { name } of env.filter((each) => /^(SETBLOCK|GPU)_/.test(each.name))) {
          assert.ok(text.includes(name), name)
        }
      }
    })
  })
}

describe('Kubernetes, how the parts fit', () => {
  const objects = sourceObjects()
  const find = (kind: string, name: string): ClusterObject => {
    const found = objects.find((each) => each.kind === kind && each.metadata.name === name)
    assert.ok(found, `${kind} ${name}`)
    return found
  }
  const worker = find('StatefulSet', 'setblock-worker') as Workload
  const edge = find('Deployment', 'setblock-edge') as Workload

  test('selectors find the pods that they are meant for', () => {
    for (const workload of [worker, edge]) {
      const labels = workload.spec.template.metadata?.labels ?? {}
      const service = find('Service', workload.metadata.name) as ClusterObject & {
        spec: { selector: Record<string, string>; ports: { targetPort: string }[] }
      }
      for (const selector of [workload.spec.selector.matchLabels, service.spec.selector]) {
        for (const [name, value] of Object.entries(selector)) assert.equal(labels[name], value)
      }
      const ports = containersOf(workload).flatMap(({ ports = [] }) =>
        ports.map(({ name }) => name),
      )
      for (const { targetPort } of service.spec.ports) assert.ok(ports.includes(targetPort))
    }
  })

  test('the edge looks up the workers by the names that the set gives them', () => {
    const service = find('Service', worker.spec.serviceName ?? '') as ClusterObject & {
      spec: { clusterIP: string; ports: { name: string }[] }
    }
    assert.equal(service.spec.clusterIP, 'None')
    const { value = '' } = containersOf(edge)[0]!.env!.find((each) => each.name === 'GPU_WORKERS')!
    const [port] = service.spec.ports
    assert.ok(value.startsWith(`srv+http://_${port!.name}._tcp.${service.metadata.name}.$(`), value)
  })

  test('what the images keep is on a volume', () => {
    for (const [workload, image] of [
      [worker, 'worker'],
      [edge, 'edge'],
    ] as const) {
      const file = readFileSync(path.join(repository, 'infra', `${image}.Dockerfile`), 'utf8')
      const kept = /^VOLUME (\S+)$/m.exec(file)?.[1]
      const [container] = containersOf(workload)
      const mount = container?.volumeMounts?.find(({ mountPath }) => mountPath === kept)
      const volumes = [
        ...(workload.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name),
        ...(workload.spec.template.spec?.volumes ?? []).map(({ name }) => name),
      ]
      assert.ok(mount && volumes.includes(mount.name), image)
    }
  })

  test('the autoscaler asks for metrics that the workers have', () => {
    const { spec } = find('ScaledObject', 'setblock-worker') as ClusterObject & {
      spec: { triggers: { metadata: { query: string } }[]; maxReplicaCount: number }
    }
    const text = readSources('gpu-worker/src', ['.ts'])
      .map((source) => source.text)
      .join('\n')
    const names = spec.triggers.flatMap(
      ({ metadata }) => metadata.query.match(/setblock_\w+/g) ?? [],
    )
    assert.ok(names.length >= 3)
    for (const name of names) assert.ok(text.includes(name.replace('setblock_', '')), name)
  })
})

test('a misspelt field, and one of another type, would be found', async () => {
  const service = sourceObjects().find(({ kind }) => kind === 'StatefulSet')!
  const misspelt = structuredClone(service) as ClusterObject & { spec: Record<string, unknown> }
  misspelt.spec['replica'] = 3
  assert.match(await findUnknownFields([misspelt]), /"replica"' does not exist/)
  misspelt.spec['replicas'] = 'three'
  await assert.rejects(validateObject(misspelt), /replicas/)
})
