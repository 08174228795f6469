import type { ManifestProblem } from '#server/view.ts';

export const problemHead: readonly string[] = ['MANIFEST', 'FIELD', 'STILL RUNS', 'PROBLEM'];

/** A manifest that isn't in force, in one line. */
export function problemRow(problem: ManifestProblem): string[] {
  const document = problem.document === undefined || problem.document === 1 ? '' : `#${problem.document}`;
  const value = problem.value === undefined ? '' : ` (value: ${problem.value})`;
  return [
    `${problem.origin}${document}`,
    problem.field ?? '',
    problem.lastGoodRuns ? 'last good' : 'no',
    `${problem.message}${value}`,
  ];
}
