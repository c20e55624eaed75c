/** The cases of the benchmark protocol, and what every engine must come out with (for the default seed). */
import type { Result } from './runner.ts'
import type { Workload } from './workloads.ts'

export interface Outcome {
  readonly load_checksum: number
  readonly load_rows: number
  readonly checksum: number
  readonly out_rows: number
  readonly trace: number
}

export interface Case {
  readonly workload: Workload
  readonly args: readonly [number, number, number, number]
  readonly expected: Outcome
}

function expect(
  workload: Workload,
  args: Case['args'],
  load_checksum: number,
  load_rows: number,
  checksum: number,
  out_rows: number,
  trace: number,
): Case {
  return { workload, args, expected: { load_checksum, load_rows, checksum, out_rows, trace } }
}

/** The protocol's table. */
export const cases: readonly Case[] = [
  expect('degrees', [100_000, 1_000_000, 1, 1000], 3_709_309_317, 27, 3_738_164_468, 27, 2_020_869_787),
  expect('degrees', [100_000, 1_000_000, 1000, 100], 3_709_309_317, 27, 3_699_911_318, 27, 3_831_024_619),
  expect('degrees', [100_000, 1_000_000, 100_000, 5], 3_709_309_317, 27, 3_744_432_907, 27, 2_545_761_502),
  expect('join', [100_000, 200_000, 1, 1000], 2_922_990_630, 399_748, 1_705_575_111, 399_813, 2_777_885_594),
  expect('join', [100_000, 200_000, 1000, 50], 2_922_990_630, 399_748, 1_380_465_892, 399_600, 2_554_719_171),
  expect('join', [100_000, 200_000, 100_000, 5], 2_922_990_630, 399_748, 1_491_765_600, 399_593, 2_367_986_535),
  expect('reach', [100_000, 200_000, 1, 50], 2_555_560_507, 79_969, 1_917_503_351, 79_978, 2_098_187_303),
  expect('reach', [100_000, 200_000, 100, 10], 2_555_560_507, 79_969, 1_640_340_559, 79_960, 2_985_756_290),
  expect('words', [100_000, 1_000_000, 1000, 100], 2_103_300_573, 99_994, 3_147_336_084, 99_994, 2_966_223_645),
  expect('topk', [10_000, 500_000, 1000, 50], 1_472_585_043, 30_000, 1_441_503_266, 30_000, 4_262_508_524),
  expect('wide', [100_000, 200_000, 1, 1000], 3_215_679_938, 400_069, 1_553_417_183, 400_099, 1_566_382_981),
  expect('wide', [100_000, 200_000, 1000, 50], 3_215_679_938, 400_069, 3_145_446_106, 400_628, 927_992_733),
  expect('wide', [100_000, 200_000, 100_000, 5], 3_215_679_938, 400_069, 1_891_331_301, 401_010, 337_482_866),
  expect('degrees', [1_000_000, 10_000_000, 1000, 100], 921_845_940, 29, 696_538_572, 29, 4_126_284_007),
  expect('degrees', [100_000, 1_000_000, 1, 20_000], 3_709_309_317, 27, 3_720_034_257, 27, 703_451_933),
  expect('join', [100_000, 200_000, 1, 20_000], 2_922_990_630, 399_748, 1_811_713_915, 400_115, 764_929_845),
  expect('join', [100_000, 200_000, 1000, 400], 2_922_990_630, 399_748, 659_110_740, 399_898, 4_116_410_972),
]

/** The same at sizes that take a second or less each; computed by the hand-written program. */
export const quickCases: readonly Case[] = [
  expect('degrees', [10_000, 100_000, 1, 1000], 1_718_293_768, 24, 1_697_094_640, 24, 3_934_336_320),
  expect('degrees', [10_000, 100_000, 1000, 20], 1_718_293_768, 24, 2_414_454_663, 23, 857_533_799),
  expect('degrees', [10_000, 100_000, 10_000, 5], 1_718_293_768, 24, 2_403_425_708, 23, 2_777_228_462),
  expect('join', [10_000, 20_000, 1, 1000], 2_422_628_093, 39_777, 1_137_276_862, 39_663, 3_339_347_095),
  expect('join', [10_000, 20_000, 1000, 20], 2_422_628_093, 39_777, 30_230_214, 40_179, 2_747_233_891),
  expect('join', [10_000, 20_000, 10_000, 5], 2_422_628_093, 39_777, 1_552_320_720, 40_059, 1_099_889_762),
  expect('reach', [10_000, 20_000, 1, 20], 1_667_941_997, 7920, 790_920_399, 7921, 308_361_521),
  expect('reach', [10_000, 20_000, 100, 5], 1_667_941_997, 7920, 3_949_489_546, 7965, 64_735_337),
  expect('words', [10_000, 100_000, 1000, 20], 509_981_118, 9999, 3_685_049_430, 9999, 2_050_941_592),
  expect('topk', [1000, 50_000, 1000, 20], 1_240_404_612, 3000, 522_798_232, 3000, 753_129_819),
  expect('wide', [10_000, 20_000, 1, 1000], 614_945_554, 40_000, 3_745_789_750, 39_693, 3_312_085_108),
  expect('wide', [10_000, 20_000, 1000, 20], 614_945_554, 40_000, 1_251_103_708, 40_247, 3_454_679_881),
]

export function caseName(one: { readonly workload: string; readonly args: readonly number[] }): string {
  return `${one.workload} ${one.args.join(' ')}`
}

/** What is wrong with a result, one line a figure; empty when it is right. */
export function mismatches(result: Outcome, expected: Outcome): string[] {
  return (Object.keys(expected) as (keyof Outcome)[])
    .filter((figure) => result[figure] !== expected[figure])
    .map((figure) => `${figure} is ${result[figure]}, not ${expected[figure]}`)
}

export function outcomeOf({ load_checksum, load_rows, checksum, out_rows, trace }: Result): Outcome {
  return { load_checksum, load_rows, checksum, out_rows, trace }
}
