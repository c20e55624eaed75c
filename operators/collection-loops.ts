/** Loops over several collections, and what is built on loops, for collections. */
import type { Columns } from '../runtime/data/schema.ts'
import { located } from './call-site.ts'
import { Collection, type EnterLoop } from './collection.ts'
import { connectedComponents as connectedComponentsPlan } from './connected-components.ts'
import { type IterateOptions, iterateAll as iteratePlans } from './iterate.ts'
import type { PlanNode } from './plan.ts'
import { reachability as reachabilityPlan } from './reachability.ts'

export type Collections = { readonly [name: string]: Collection<Columns> }

/**
 * Applies the body again and again to several collections that depend on each other, until nothing changes; at every time. The body
 * gives each of them anew.
 */
export function iterateAll<V extends Collections>(
  initial: V,
  body: (variables: V, enter: EnterLoop) => V,
  options: IterateOptions = {},
): V {
  return located(iterateAll, '', [initial, body], (origin) => {
    const plans = Object.fromEntries(Object.entries(initial).map(([name, { node }]) => [name, node]))
    const made = iteratePlans(
      plans,
      (variables, enter) => {
        const given = collections(variables) as V
        const results = body(given, (outer) => new Collection(enter(outer.node), outer.label))
        return Object.fromEntries(Object.entries(results).map(([name, { node }]) => [name, node]))
      },
      options,
      origin,
    )
    return collections(made) as V
  })
}

/**
 * The nodes that can be reached from the roots along directed edges, the roots among them.
 * @param sources columns of `edges` that identify the source node, in the order of the roots' columns
 * @param targets the same for the target node
 */
export function reachability<C extends Columns, E extends Columns>(
  roots: Collection<C>,
  edges: Collection<E>,
  sources: (keyof E & string) | readonly (keyof E & string)[],
  targets: (keyof E & string) | readonly (keyof E & string)[],
  options: IterateOptions = {},
): Collection<C> {
  const list = (names: string | readonly string[]): readonly string[] => (typeof names === 'string' ? [names] : names)
  return located(reachability as () => unknown, '', [roots, edges, sources, targets], (origin) => {
    return new Collection<C>(reachabilityPlan(roots.node, edges.node, list(sources), list(targets), options, origin), 'reachability(...)')
  })
}

/**
 * For each node of an undirected graph the least node that it is connected with, itself counting: equal for the nodes of one component.
 * @param source the column of `edges` with one end
 * @param target the one with the other end, of the same type
 */
export function connectedComponents<E extends Columns, S extends keyof E & string>(
  edges: Collection<E>,
  source: S,
  target: keyof E & string,
  options: IterateOptions = {},
): Collection<{ readonly node: E[S]; readonly component: E[S] }> {
  return located(connectedComponents as () => unknown, '', [edges, source, target], (origin) => {
    return new Collection(connectedComponentsPlan(edges.node, source, target, options, origin), 'connectedComponents(...)')
  })
}

function collections(plans: Readonly<Record<string, PlanNode>>): Record<string, Collection<Columns>> {
  return Object.fromEntries(Object.entries(plans).map(([name, plan]) => [name, new Collection(plan, name)]))
}
