import { blocksOf } from './blocks.ts'

/** The program in the README that tests itself. */
export function readmeExample(): string {
  const found = blocksOf('README.md').filter((block) => block.language === 'ts')
  if (found.length !== 1) throw new Error(`README.md has ${found.length} blocks of ts, not one`)
  return found[0].text
}
