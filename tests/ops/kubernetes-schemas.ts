/** The kinds of Kubernetes that our manifests use, field by field; what is not here is a mistake, or has to be added. */
import { z } from 'zod'

const name = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
  .max(63)
const labels = z.record(z.string(), z.string())
const metadata = z.object({ name, namespace: name.optional(), labels: labels.optional(), annotations: labels.optional() }).strict()
const selector = z.object({ matchLabels: labels }).strict()
const port = z.number().int().min(1).max(65_535)
const portName = name.max(15)
const quantity = z.string().regex(/^\d+(\.\d+)?(m|Ki|Mi|Gi)?$/)

const probe = z
  .object({
    httpGet: z.object({ path: z.string().startsWith('/'), port: portName }).strict(),
    periodSeconds: z.number().int().positive(),
    timeoutSeconds: z.number().int().positive().optional(),
    failureThreshold: z.number().int().positive().optional(),
  })
  .strict()

const container = z
  .object({
    name,
    image: z.string(),
    args: z.array(z.string()),
    env: z.array(
      z
        .object({
          name: z.string().regex(/^[A-Z_]+$/),
          valueFrom: z.object({ fieldRef: z.object({ fieldPath: z.literal('metadata.name') }).strict() }).strict(),
        })
        .strict(),
    ),
    ports: z.array(z.object({ name: portName, containerPort: port }).strict()),
    startupProbe: probe,
    livenessProbe: probe,
    readinessProbe: probe,
    resources: z
      .object({
        requests: z.object({ cpu: quantity, memory: quantity }).strict(),
        // No limit on CPU: a throttled process sends no heartbeats.
        limits: z.object({ memory: quantity }).strict(),
      })
      .strict(),
    securityContext: z
      .object({
        allowPrivilegeEscalation: z.literal(false),
        readOnlyRootFilesystem: z.literal(true),
        capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }).strict(),
      })
      .strict(),
    volumeMounts: z.array(z.object({ name, mountPath: z.string().startsWith('/'), readOnly: z.boolean().optional() }).strict()),
  })
  .strict()

const volume = z
  .object({
    name,
    emptyDir: z.object({}).strict().optional(),
    secret: z
      .object({
        secretName: name,
        // Not for others.
        defaultMode: z.number().refine((mode) => (mode & 0o007) === 0),
        items: z.array(z.object({ key: z.string(), path: z.string() }).strict()),
      })
      .strict()
      .optional(),
  })
  .strict()

const userId = z.number().int().positive()

const pod = z
  .object({
    serviceAccountName: name,
    automountServiceAccountToken: z.boolean(),
    terminationGracePeriodSeconds: z.number().int().positive(),
    securityContext: z
      .object({
        runAsNonRoot: z.literal(true),
        runAsUser: userId,
        runAsGroup: userId,
        fsGroup: userId,
        seccompProfile: z.object({ type: z.literal('RuntimeDefault') }).strict(),
      })
      .strict(),
    topologySpreadConstraints: z
      .array(
        z
          .object({
            maxSkew: z.number().int().positive(),
            topologyKey: z.string(),
            whenUnsatisfiable: z.enum(['DoNotSchedule', 'ScheduleAnyway']),
            labelSelector: selector,
          })
          .strict(),
      )
      .optional(),
    containers: z.array(container).min(1),
    volumes: z.array(volume),
  })
  .strict()

const object = <V extends string, K extends string, S extends z.ZodRawShape>(apiVersion: V, kind: K, shape: S) =>
  z.object({ apiVersion: z.literal(apiVersion), kind: z.literal(kind), metadata, ...shape }).strict()

const peer = z
  .object({ podSelector: z.object({ matchLabels: labels.optional() }).strict().optional(), namespaceSelector: selector.optional() })
  .strict()

export const manifest = z.discriminatedUnion('kind', [
  object('v1', 'ServiceAccount', { automountServiceAccountToken: z.boolean() }),
  object('v1', 'Service', {
    spec: z
      .object({
        clusterIP: z.literal('None').optional(),
        publishNotReadyAddresses: z.boolean().optional(),
        selector: labels,
        ports: z.array(z.object({ name: portName, port, targetPort: portName }).strict()),
      })
      .strict(),
  }),
  object('apps/v1', 'StatefulSet', {
    spec: z
      .object({
        replicas: z.number().int().positive(),
        serviceName: name,
        podManagementPolicy: z.enum(['OrderedReady', 'Parallel']).optional(),
        selector,
        template: z.object({ metadata: z.object({ labels, annotations: labels.optional() }).strict(), spec: pod }).strict(),
        volumeClaimTemplates: z
          .array(
            z
              .object({
                metadata: z.object({ name }).strict(),
                spec: z
                  .object({
                    accessModes: z.array(z.enum(['ReadWriteOnce', 'ReadWriteMany'])),
                    resources: z.object({ requests: z.object({ storage: quantity }).strict() }).strict(),
                  })
                  .strict(),
              })
              .strict(),
          )
          .optional(),
      })
      .strict(),
  }),
  object('policy/v1', 'PodDisruptionBudget', { spec: z.object({ maxUnavailable: z.number().int().positive(), selector }).strict() }),
  object('networking.k8s.io/v1', 'NetworkPolicy', {
    spec: z
      .object({
        podSelector: selector,
        policyTypes: z.array(z.enum(['Ingress', 'Egress'])),
        ingress: z.array(z.object({ from: z.array(peer), ports: z.array(z.object({ port: portName }).strict()) }).strict()),
      })
      .strict(),
  }),
  object('rbac.authorization.k8s.io/v1', 'Role', {
    rules: z.array(
      z
        .object({
          apiGroups: z.array(z.string()),
          resources: z.array(z.string()),
          resourceNames: z.array(name).optional(),
          verbs: z.array(z.enum(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'])),
        })
        .strict(),
    ),
  }),
  object('rbac.authorization.k8s.io/v1', 'RoleBinding', {
    roleRef: z.object({ apiGroup: z.literal('rbac.authorization.k8s.io'), kind: z.literal('Role'), name }).strict(),
    subjects: z.array(z.object({ kind: z.literal('ServiceAccount'), name, namespace: name.optional() }).strict()),
  }),
])

export type Manifest = z.infer<typeof manifest>
export type OfKind<K extends Manifest['kind']> = Extract<Manifest, { readonly kind: K }>

export const kustomization = z
  .object({
    apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
    kind: z.literal('Kustomization'),
    namespace: name,
    labels: z.array(z.object({ pairs: labels }).strict()),
    resources: z.array(z.string()),
    images: z.array(z.object({ name, newName: z.string(), newTag: z.string().regex(/^\d+\.\d+\.\d+$/) }).strict()),
  })
  .strict()
