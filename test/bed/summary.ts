import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** What one run of vitest came to; run.ts adds several up. */
export interface Summary {
  passed: number;
  failed: string[];
  skipped: { name: string; reason: string }[];
  /** Whether it came to its end. */
  complete: boolean;
}

const reasonOf = (test: TestCase): string => {
  const result = test.result();
  if (result.state === 'skipped' && result.note !== undefined) return result.note;
  return test.options.mode === 'todo' ? 'not written yet' : 'no reason given';
};

/**
 * A vitest reporter that writes a Summary as JSON to the file that NODELET_TEST_SUMMARY names, after every test file
 * anew: where the run is stopped, what it had come to is known.
 */
export default class SummaryReporter implements Reporter {
  readonly #summary: Summary = { passed: 0, failed: [], skipped: [], complete: false };

  onTestModuleEnd(module: TestModule): void {
    const name = module.relativeModuleId;
    // A file that can't be loaded, or a hook of it that fails, counts as one failed test.
    for (const error of module.errors()) this.#summary.failed.push(`${name}: ${error.message}`);
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) {
        this.#summary.failed.push(`${name} > ${suite.fullName}: ${error.message}`);
      }
    }
    for (const test of module.children.allTests()) this.#count(`${name} > ${test.fullName}`, test);
    this.#write();
  }

  onTestRunEnd(_modules: readonly TestModule[], errors: readonly { message: string }[]): void {
    for (const error of errors) this.#summary.failed.push(`outside any test: ${error.message}`);
    this.#summary.complete = true;
    this.#write();
  }

  #count(name: string, test: TestCase): void {
    const { state } = test.result();
    if (state === 'passed') this.#summary.passed += 1;
    else if (state === 'failed') this.#summary.failed.push(name);
    else if (state === 'skipped') this.#summary.skipped.push({ name, reason: reasonOf(test) });
    else this.#summary.failed.push(`${name}: did not end`);
  }

  #write(): void {
    const file = process.env['NODELET_TEST_SUMMARY'];
    if (file !== undefined) writeFileSync(file, JSON.stringify(this.#summary));
  }
}
