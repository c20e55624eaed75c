/** A job of fifty operators, each typed by the one before: what the compiler has to bear. */
import { count, days, float64, int32, int64, job, max, min, nullable, stream, sum, table, text, timestamp } from '../../millrace.ts'

export const fifty = job(
  'fifty',
  {
    users: table({ userId: int32, name: text, country: text, since: timestamp, boss: nullable(int32) }, { key: 'userId' }),
    orders: table({ orderId: int64, userId: int32, item: int32, cents: int32, weight: float64, at: timestamp }, { key: 'orderId' }),
    items: table({ item: int32, title: text, price: int32, category: text }, { key: 'item' }),
    visits: stream({ userId: int32, page: text, at: timestamp }),
  },
  ({ users, orders, items, visits }) => {
    const recent = orders.validFor((o) => o.at, days(30))
    const priced = recent.join(items, 'item')
    const big = priced.filter((o) => o.cents.gt(o.price.times(2)).and(o.category.ne('toys')))
    const margins = big.select((o) => ({ userId: o.userId, item: o.item, margin: o.cents.minus(o.price), category: o.category, at: o.at }))
    const perUser = margins.groupBy('userId').aggregate((m) => ({ n: count(), margin: sum(m.margin), last: max(m.at) }))
    const withNames = perUser.join(users, 'userId', (p, u) => ({
      userId: u.userId,
      name: u.name,
      country: u.country,
      n: p.n,
      margin: p.margin,
    }))
    const perCountry = withNames.groupBy('country').aggregate((w) => ({ users: count(), margin: sum(w.margin), least: min(w.n) }))
    const best = withNames.groupBy('country').topK(3, (w) => [w.margin.desc(), w.userId.asc()])
    const leaders = best.join(perCountry, 'country', (b, c) => ({
      country: b.country,
      name: b.name,
      share: b.margin.toFloat64().divide(c.margin.toFloat64()),
    }))
    const pages = visits.groupBy('userId', 'page').aggregate((v) => ({ visits: count(), last: max(v.at) }))
    const often = pages.filter((p) => p.visits.gt(10n))
    const visitors = often.select((p) => ({ userId: p.userId })).distinct()
    const buyers = orders.select((o) => ({ userId: o.userId })).distinct()
    const lookers = visitors.antijoin(buyers, 'userId')
    const both = visitors.semijoin(buyers, 'userId')
    const named = lookers.join(users, 'userId')
    const greeted = named.map({ userId: int32, greeting: text }, (u) => ({ userId: u.userId, greeting: `Hello ${u.name} of ${u.country}` }))
    const bosses = users.join(users, { boss: 'userId' }, (u, b) => ({ userId: u.userId, boss: b.name, country: b.country }))
    const all = users.leftJoin(perUser, 'userId', (u, p) => ({ userId: u.userId, n: p.n.orElse(0), margin: p.margin.orElse(0) }))
    const silent = all.filter((a) => a.n.eq(0)).select((a) => ({ userId: a.userId }))
    const contacts = silent.concat(lookers).distinct()
    const letters = contacts.join(users, 'userId', (c, u) => ({ userId: c.userId, text: u.name.concat(', come back') }))
    const wordCounts = letters
      .flatMap({ word: text }, (l) => l.text.split(' ').map((word) => ({ word })))
      .groupBy('word')
      .aggregate(() => ({ n: count() }))
    const categories = priced.groupBy('category').aggregate((p) => ({ sold: count(), cents: sum(p.cents), heaviest: max(p.weight) }))
    const outer = categories.outerJoin(
      items.groupBy('category').aggregate(() => ({ items: count() })),
      'category',
    )
    const rates = outer.select((o) => ({ category: o.category, rate: o.sold.orElse(0).toFloat64().divide(o.items.orElse(1).toFloat64()) }))
    const chains = users
      .filter((u) => u.boss.isNull())
      .select((u) => ({ userId: u.userId }))
      .iterate((reached, enter) =>
        enter(users)
          .join(reached, { boss: 'userId' }, (u) => ({ userId: u.userId }))
          .concat(reached)
          .distinct(),
      )
    return {
      perCountry: perCountry.keyBy('country'),
      leaders: leaders.keyBy('country', 'name'),
      both,
      greeted: greeted.keyBy('userId'),
      bosses: bosses
        .groupBy('country')
        .aggregate(() => ({ n: count() }))
        .keyBy('country'),
      letters: letters.changelog(),
      wordCounts: wordCounts.topK(10, (w) => w.n.desc()),
      rates: rates.consolidate(),
      chains,
    }
  },
)
