/** The first so many of some numbers, in an order, without sorting all of them: a heap of those kept, the last one on top. */

/** @returns at most `limit` of the numbers, in order; of equal ones any */
export function firstInOrder(numbers: readonly number[], limit: number, compare: (a: number, b: number) => number): number[] {
  if (numbers.length <= limit) return [...numbers].sort(compare)
  const heap: number[] = []
  if (limit <= 0) return heap
  for (const number of numbers) {
    if (heap.length < limit) raise(heap, heap.push(number) - 1, compare)
    else if (compare(number, heap[0]) < 0) {
      heap[0] = number
      sink(heap, compare)
    }
  }
  return heap.sort(compare)
}

function raise(heap: number[], from: number, compare: (a: number, b: number) => number): void {
  for (let at = from; at > 0; ) {
    const parent = (at - 1) >> 1
    if (compare(heap[at], heap[parent]) <= 0) return
    swap(heap, at, parent)
    at = parent
  }
}

function sink(heap: number[], compare: (a: number, b: number) => number): void {
  for (let at = 0; ; ) {
    let child = 2 * at + 1
    if (child >= heap.length) return
    if (child + 1 < heap.length && compare(heap[child + 1], heap[child]) > 0) child++
    if (compare(heap[at], heap[child]) >= 0) return
    swap(heap, at, child)
    at = child
  }
}

function swap(heap: number[], a: number, b: number): void {
  const moved = heap[a]
  heap[a] = heap[b]
  heap[b] = moved
}
