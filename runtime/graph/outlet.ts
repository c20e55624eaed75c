/** A second output of an operator, such as its errors: the owner sends and advances it; it has no work of its own. */
import { Operator } from './operator.ts'

export class Outlet extends Operator {
  step(): void {}
}
