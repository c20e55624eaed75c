/** The command line as a whole: its commands, and what their ends mean. */
import { Command, CommanderError } from 'commander'
import { bundleCommand } from './commands/bundle-command.ts'
import { coordinatorCommand } from './commands/coordinator-command.ts'
import { deployCommand } from './commands/deploy-command.ts'
import { drainCommand, dropCommand, jobsCommand } from './commands/jobs-command.ts'
import { runCommand } from './commands/run-command.ts'
import { statusCommand, topCommand } from './commands/status-command.ts'
import { tokenCommand } from './commands/token-command.ts'
import { workerCommand } from './commands/worker-command.ts'
import type { Context } from './context.ts'
import { EXIT_OK, EXIT_USAGE, errorJson, errorText, exitCodeOf } from './exit.ts'

/** In the order in which `--help` lists them. */
const COMMANDS = [
  runCommand,
  coordinatorCommand,
  workerCommand,
  deployCommand,
  jobsCommand,
  dropCommand,
  drainCommand,
  statusCommand,
  topCommand,
  bundleCommand,
  tokenCommand,
]

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong options or configuration, 3 nobody answers, 4 refused.
Every option has an environment variable (MILLRACE_...), which --help shows. Options go before
variables, variables before millrace.config.ts, and that before the defaults.`

/**
 * @param parameters of the command line, without the program
 * @returns the exit code
 */
export async function runCommandLine(parameters: readonly string[], context: Context): Promise<number> {
  const program = createProgram(context)
  if (parameters.length === 0) {
    context.err.write(program.helpInformation())
    return EXIT_USAGE
  }
  try {
    await program.parseAsync(parameters, { from: 'user' })
    return EXIT_OK
  } catch (error) {
    // Commander has said it already, with its usage.
    if (error instanceof CommanderError) return exitCodeOf(error)
    const asJson = parameters.includes('--json')
    context.err.write(asJson ? `${errorJson(error)}\n` : `${errorText(error)}\n`)
    return exitCodeOf(error)
  }
}

export function createProgram(context: Context): Command {
  const program = new Command('millrace')
    .description('Keeps the answers of jobs right while their data changes: on one thread, on all cores, on several machines.')
    .version(context.version)
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
      getOutHelpWidth: () => context.out.columns,
      getErrHelpWidth: () => context.err.columns,
      outputError: (text, write) => write(text.replace(/^error: /, '')),
    })
    .exitOverride()
    .showHelpAfterError('Run with --help to see all options.')
    .helpCommand(true)
    .addHelpText('after', EXIT_CODES)
  for (const create of COMMANDS) program.addCommand(create(context).copyInheritedSettings(program))
  return program
}
