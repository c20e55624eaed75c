/**
 * Marks that tell the processes of one machine apart, also those that come one after the other with one number. Who left something
 * behind, say a lease in a file, can so be known to have ended.
 */
export interface ProcessMarks {
  /** Of this process; null where the system does not say enough. */
  readonly own: string | null
  /** Whether the process with that mark has ended for certain; false if it lives, is stopped, or is of another machine. */
  hasEnded(mark: string): Promise<boolean>
}

/** Where nothing is known of other processes. */
export const noProcessMarks: ProcessMarks = { own: null, hasEnded: () => Promise.resolve(false) }
