/**
 * The first counterexample is enough to catch a bug: nobody reads the smallest one. One seed, so that a bug that is
 * caught today is caught tomorrow.
 */
import fc from 'fast-check'

fc.configureGlobal({ endOnFailure: true, seed: 1 })
