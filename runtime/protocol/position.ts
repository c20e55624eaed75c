/** Where a reader of a source is: JSON, meaningful to the source alone. */
export type Position = string | number | boolean | readonly Position[] | { readonly [field: string]: Position | null }
