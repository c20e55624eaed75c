/** The fraud feature store: for each account, the confirmed frauds against its owner in the last 30 days. */
import { count, days, int32, job, table, timestamp } from '../../millrace.ts'

/** Accounts in `worst`. */
export const WORST = 50

export const featureStore = job(
  'feature-store',
  {
    accounts: table({ accountId: int32, ownerId: int32 }, { key: 'accountId' }),
    // A table and not a stream: a late correction removes a fraud and inserts it with another time.
    frauds: table({ accountId: int32, at: timestamp }),
  },
  ({ accounts, frauds }) => {
    const perOwner = frauds
      .validFor((f) => f.at, days(30)) // in the view from `at` until 30 days later
      .join(accounts, 'accountId')
      .groupBy('ownerId')
      .aggregate(() => ({ frauds: count() }))

    const accountFrauds = accounts.leftJoin(perOwner, 'ownerId', (account, owner) => ({
      accountId: account.accountId,
      ownerId: account.ownerId,
      frauds: owner.frauds.orElse(0n),
    }))

    return {
      accountFrauds: accountFrauds.keyBy('accountId'),
      worst: accountFrauds.topK(WORST, (account) => [account.frauds.desc(), account.accountId.asc()]),
    }
  },
)
