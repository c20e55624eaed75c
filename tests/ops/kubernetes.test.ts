/** The manifests by the schemas of the kinds that they use, against each other, and against our command line. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { parseCommandLine } from './command-line.ts'
import { kustomization, type Manifest, manifest, type OfKind } from './kubernetes-schemas.ts'

const folder = new URL('../../ops/kubernetes/', import.meta.url)
const read = (file: string): string => readFileSync(new URL(file, folder), 'utf8')
const documents = (text: string): unknown[] => parseAllDocuments(text, { version: '1.1' }).map((one) => one.toJS() as unknown)

const top = kustomization.parse(parse(read('kustomization.yaml')))
const all: Manifest[] = top.resources.flatMap((file) => documents(read(file)).map((one) => manifest.parse(one)))

function ofKind<K extends Manifest['kind']>(kind: K): OfKind<K>[] {
  return all.filter((one): one is OfKind<K> => one.kind === kind)
}

const sets = ofKind('StatefulSet')
const hasLabels = (labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean =>
  Object.entries(wanted).every(([name, value]) => labels[name] === value)

test('all files are used, and nothing is there twice', () => {
  expect([...top.resources, 'kustomization.yaml'].sort()).toEqual(readdirSync(folder).sort())
  const names = all.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
  expect(new Set(names).size).toBe(names.length)
})

test('the release is the one of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  expect(top.images.map(({ newTag }) => newTag)).toEqual([version])
  for (const { spec } of sets)
    for (const { image } of spec.template.spec.containers) expect(top.images.map(({ name }) => name)).toContain(image)
})

describe.each(sets.map((set) => [set.metadata.name, set] as const))('%s', (name, { spec }) => {
  const pod = spec.template.spec
  const [container] = pod.containers
  const args = container.args.map((arg) => arg.replaceAll('$(POD_NAME)', `${name}-0`))

  test('our command line takes its arguments', () => {
    const { command, options } = parseCommandLine(args)
    expect(name).toBe(`millrace-${command}`)
    expect(options['cluster']).toBe('production')
    expect(Number(options['drainSeconds'])).toBeLessThan(pod.terminationGracePeriodSeconds)
    expect(JSON.stringify(args)).not.toMatch(/--token[= ]/)
  })

  test('variables in its arguments are defined', () => {
    for (const [, variable] of container.args.join(' ').matchAll(/\$\((\w+)\)/g))
      expect(container.env.map((one) => one.name)).toContain(variable)
  })

  test('it opens the ports that are named, and probes are asked there', () => {
    const { options } = parseCommandLine(args)
    const ports = Object.fromEntries(container.ports.map((one) => [one.name, one.containerPort]))
    expect(`0.0.0.0:${ports['http']}`).toBe(options['listen'])
    expect(`0.0.0.0:${ports['admin']}`).toBe(options['admin'])
    for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe])
      expect(Object.keys(ports)).toContain(probe.httpGet.port)
    expect(container.livenessProbe.httpGet.path).toBe('/livez')
    expect(container.readinessProbe.httpGet.path).toBe('/readyz')
    expect(spec.template.metadata.annotations?.['prometheus.io/port']).toBe(String(ports['admin']))
  })

  test('others find it where it says', () => {
    const { options } = parseCommandLine(args)
    const service = ofKind('Service').find((one) => one.metadata.name === spec.serviceName)
    expect(service?.spec.clusterIP).toBe('None')
    const [port] = service?.spec.ports ?? []
    expect(options['advertise']).toBe(`http://${name}-0.${spec.serviceName}:${port.port}`)
    expect(container.ports.map((one) => one.name)).toContain(port.targetPort)
  })

  test('its selector finds its own pods', () => {
    expect(hasLabels(spec.template.metadata.labels, spec.selector.matchLabels)).toBe(true)
  })

  test('every mount has a volume, and what it writes is one', () => {
    const volumes = new Map(pod.volumes.map((volume) => [volume.name, volume]))
    const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name)
    for (const mount of container.volumeMounts) expect([...volumes.keys(), ...claims]).toContain(mount.name)
    const { options } = parseCommandLine(args)
    const mountOf = (path: string) => container.volumeMounts.find(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`))
    const token = mountOf(options['tokenFile'] as string)
    expect(token?.readOnly).toBe(true)
    expect(volumes.get(token?.name ?? '')?.secret?.secretName).toBe('millrace-token')
    expect(mountOf('/tmp/x')?.readOnly).toBeUndefined()
    const store = options['store'] as string | undefined
    if (store?.startsWith('kubernetes:')) expect(claims).toContain(mountOf(store.slice('kubernetes:'.length))?.name)
  })

  test('its service account is there', () => {
    const account = ofKind('ServiceAccount').find((one) => one.metadata.name === pod.serviceAccountName)
    expect(account).toBeDefined()
  })
})

test('the coordinator may use its Lease, and nobody gets more from the API server', () => {
  const coordinator = sets.find(({ metadata }) => metadata.name === 'millrace-coordinator')
  const { options } = parseCommandLine(coordinator?.spec.template.spec.containers[0].args ?? [])
  expect(options['store']).toMatch(/^kubernetes:/)
  const [binding] = ofKind('RoleBinding')
  expect(binding.subjects.map(({ name }) => name)).toEqual([coordinator?.spec.template.spec.serviceAccountName])
  const role = ofKind('Role').find(({ metadata }) => metadata.name === binding.roleRef.name)
  const verbs = role?.rules.flatMap((rule) => {
    expect(rule.apiGroups).toEqual(['coordination.k8s.io'])
    expect(rule.resources).toEqual(['leases'])
    // As the store calls it.
    if (rule.resourceNames !== undefined) expect(rule.resourceNames).toEqual([`millrace-${options['cluster']}`])
    return rule.verbs
  })
  expect(verbs?.sort()).toEqual(['create', 'get', 'update'])
  for (const { metadata, spec } of sets)
    expect(spec.template.spec.automountServiceAccountToken).toBe(metadata.name === 'millrace-coordinator')
})

test('workers join at the coordinator', () => {
  const worker = sets.find(({ metadata }) => metadata.name === 'millrace-worker')
  const { options } = parseCommandLine(
    (worker?.spec.template.spec.containers[0].args ?? []).map((arg) => arg.replaceAll('$(POD_NAME)', 'x')),
  )
  const [service] = ofKind('Service').filter(({ metadata }) => metadata.name === 'millrace-coordinator')
  expect(options['join']).toEqual([`http://${service.metadata.name}:${service.spec.ports[0].port}`])
  // One core a thread.
  expect(worker?.spec.template.spec.containers[0].resources.requests.cpu).toBe(String(options['workers']))
})

test('services, budgets and policies select pods that there are', () => {
  const selectors = [
    ...ofKind('Service').map((one) => one.spec.selector),
    ...ofKind('PodDisruptionBudget').map((one) => one.spec.selector.matchLabels),
    ...ofKind('NetworkPolicy').map((one) => one.spec.podSelector.matchLabels),
  ]
  for (const selector of selectors) expect(sets.some(({ spec }) => hasLabels(spec.template.metadata.labels, selector))).toBe(true)
  for (const { spec } of ofKind('NetworkPolicy'))
    for (const { ports } of spec.ingress)
      for (const { port } of ports)
        expect(sets.some((set) => set.spec.template.spec.containers[0].ports.some(({ name }) => name === port))).toBe(true)
  const readers = ofKind('Service').find(({ metadata }) => metadata.name === 'millrace')
  // Readers are sent to processes that are ready only; processes find each other before that.
  expect(readers?.spec.publishNotReadyAddresses).toBeUndefined()
  for (const { spec } of ofKind('Service')) if (spec.clusterIP === 'None') expect(spec.publishNotReadyAddresses).toBe(true)
})

test('the schemas find mistakes', () => {
  const [set] = documents(read('worker.yaml')).filter((one) => (one as Manifest).kind === 'StatefulSet')
  const broken = (change: (text: string) => string): boolean => manifest.safeParse(JSON.parse(change(JSON.stringify(set)))).success
  expect(broken((text) => text)).toBe(true)
  expect(broken((text) => text.replace('"readOnlyRootFilesystem":true', '"readOnlyRootFilesystem":false'))).toBe(false)
  expect(broken((text) => text.replace('"runAsNonRoot":true,', ''))).toBe(false)
  expect(broken((text) => text.replace('"replicas"', '"replica"'))).toBe(false)
  expect(broken((text) => text.replace('"containerPort":7401', '"containerPort":"7401"'))).toBe(false)
})

// kubectl needs no cluster to put them together; where it is not installed the schemas have to do.
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0

test.skipIf(!hasKubectl)('kustomize takes them', () => {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', fileURLToPath(folder)], { encoding: 'utf8', timeout: 20_000 })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const built = documents(stdout).map((one) => manifest.parse(one))
  expect(built).toHaveLength(all.length)
  for (const { metadata } of built) {
    expect(metadata.namespace).toBe(top.namespace)
    expect(metadata.labels?.['app.kubernetes.io/part-of']).toBe('millrace')
  }
  expect(stdout).toContain(`image: ${top.images[0].newName}:${top.images[0].newTag}`)
})
