/** What happens to a followed file, for its operator to read. */
export type FollowEventKind =
  /** A file was opened for the first time. */
  | 'opened'
  /** There is no file at the path (yet, or any more). */
  | 'missing'
  /** The file was renamed; it is finished and the next one begins. */
  | 'rotated'
  /** The file was removed; it is finished and the next one begins. */
  | 'recreated'
  /** The file became shorter or was written anew; it is read from its beginning. */
  | 'truncated'
  /** A line exceeds the bound; it is being skipped and becomes a bad line once it ends. */
  | 'long-line'
  /** The file of the start position is not there any more. */
  | 'position-lost'
  /** A read failed; it is tried again at the next poll. */
  | 'failed'

export interface FollowEvent {
  readonly kind: FollowEventKind
  readonly path: string
  readonly message: string
}
