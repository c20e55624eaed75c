// What a peer's library takes: arrays of [row, multiplicity].

/** Rows [addFrom, addTo) with multiplicity 1, then rows [removeFrom, removeTo) with -1. */
export function batch(row, addFrom, addTo, removeFrom, removeTo) {
  const changes = []
  for (let i = addFrom; i < addTo; i++) changes.push([row(i), 1])
  for (let i = removeFrom; i < removeTo; i++) changes.push([row(i), -1])
  return changes
}
