/** A live view inside an ordinary page: what `browser.test.ts` bundles and runs where there is nothing of Node. */
import { count, embed, int32, job, sum, table, text } from '../../millrace.ts'

const cities = job('cities', { orders: table({ id: int32, city: text, cents: int32 }, { key: 'id' }) }, ({ orders }) => ({
  byCity: orders
    .groupBy('city')
    .aggregate((o) => ({ n: count(), cents: sum(o.cents) }))
    .keyBy('city'),
  top: orders.topK(3, (o) => o.cents.desc()),
}))

export async function view(): Promise<unknown[]> {
  const seen: unknown[] = []
  const followers: Promise<void>[] = []
  {
    await using app = embed(cities)
    const { byCity, top } = app.outputs
    const changes = byCity.changes()
    const updates = byCity.updates()
    followers.push(
      (async () => {
        for await (const { changes: list } of changes)
          seen.push(['changes', list.map(({ row, diff }) => [row.city, row.n, row.cents, diff])])
      })(),
      (async () => {
        for await (const { key, before, after } of updates) seen.push(['update', key.city, before?.n, after?.n])
      })(),
    )
    app.inputs.orders.upsertMany([
      { id: 1, city: 'Rimini', cents: 950 },
      { id: 2, city: 'Forlì', cents: 300 },
      { id: 3, city: 'Rimini', cents: 50 },
      { id: 4, city: 'Bologna', cents: 700 },
    ])
    app.commit()
    seen.push(['get', byCity.get({ city: 'Rimini' }), byCity.get({ city: 'Paris' })])
    app.inputs.orders.upsert({ id: 2, city: 'Rimini', cents: 1300 })
    app.inputs.orders.delete({ id: 4 })
    app.commit()
    seen.push(['get', byCity.get({ city: 'Rimini' })], ['top', top.rows().map((row) => row.id)])
  }
  await Promise.all(followers)
  return seen
}
