import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** What one run of vitest came to; run.ts adds several up. */
export interface Summary {
  passed: number;
  failed: string[];
  skipped: { name: string; reason: string }[];
}

const reasonOf = (test: TestCase): string => {
  const result = test.result();
  if (result.state === 'skipped' && result.note !== undefined) return result.note;
  return test.options.mode === 'todo' ? 'not written yet' : 'no reason given';
};

/** A vitest reporter that writes a Summary as JSON to the file that NODELET_TEST_SUMMARY names. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly { message: string }[]): void {
    const file = process.env['NODELET_TEST_SUMMARY'];
    if (file === undefined) return;
    const summary: Summary = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) {
      const name = module.relativeModuleId;
      // A file that can't be loaded, or a hook of it that fails, counts as one failed test.
      for (const error of module.errors()) summary.failed.push(`${name}: ${error.message}`);
      for (const suite of module.children.allSuites()) {
        for (const error of suite.errors())
          summary.failed.push(`${name} > ${suite.fullName}: ${error.message}`);
      }
      for (const test of module.children.allTests()) {
        const full = `${name} > ${test.fullName}`;
        const { state } = test.result();
        if (state === 'passed') summary.passed += 1;
        else if (state === 'failed') summary.failed.push(full);
        else if (state === 'skipped') summary.skipped.push({ name: full, reason: reasonOf(test) });
        else summary.failed.push(`${full}: did not end`);
      }
    }
    for (const error of errors) summary.failed.push(`outside any test: ${error.message}`);
    writeFileSync(file, JSON.stringify(summary));
  }
}
