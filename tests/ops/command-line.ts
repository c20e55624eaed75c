/** Reads arguments of `millrace` as the program itself does, without doing what they say. */
import type { Command } from 'commander'
import type { Context } from '../../cli/context.ts'
import { createProgram } from '../../cli/program.ts'

const silent = { write: () => undefined, isTTY: false, columns: 80, rows: 24 }

/** @throws CommanderError with what is wrong */
export function parseCommandLine(args: readonly string[]): { readonly command: string; readonly options: Record<string, unknown> } {
  const program = createProgram({ out: silent, err: silent, variables: {}, version: '0.0.0' } as unknown as Context)
  const found = program.commands.find((one) => one.name() === args[0])
  if (found === undefined) throw new Error(`there is no command ${args[0]}`)
  found.action(() => undefined)
  program.parse([...args], { from: 'user' })
  return { command: found.name(), options: (found as Command).opts() }
}
