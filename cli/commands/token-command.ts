/** `millrace token`: makes the secret that all processes of a cluster share. */
import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { MillraceError } from '../../runtime/error.ts'
import type { Context } from '../context.ts'
import { shownPath } from '../shown-path.ts'

const TOKEN_BYTES = 32

export function tokenCommand({ environment, out, err }: Context): Command {
  return new Command('token')
    .description('make a token: whoever has it may join the cluster, deploy and read')
    .option('-o, --out <file>', 'write it to a new file that only you can read')
    .addHelpText(
      'after',
      '\nExample:\n  millrace token --out token.txt\n  millrace coordinator --listen 0.0.0.0:7400 --token-file token.txt',
    )
    .action(({ out: path }: { readonly out?: string }) => {
      const token = Buffer.from(environment.random.bytes(TOKEN_BYTES)).toString('base64url')
      if (path === undefined) {
        out.write(`${token}\n`)
        return
      }
      try {
        writeFileSync(path, `${token}\n`, { mode: 0o600, flag: 'wx' })
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EEXIST')
          throw new MillraceError(
            'CONFIG',
            `${shownPath(path)} is there already.`,
            'Remove it first, if no process uses its token any more.',
          )
        throw new MillraceError('CONFIG', `${shownPath(path)} cannot be written: ${code ?? 'failed'}.`)
      }
      err.write(`${shownPath(path)} is written; give it to every process: --token-file ${shownPath(path)}\n`)
    })
}
