import type { Reporter, TestModule } from 'vitest/node';

/** Lists the tests that passed at their second run only: each has a race to mend. */
export const retried: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    for (const module of modules) {
      for (const test of module.children.allTests('passed')) {
        if ((test.diagnostic()?.retryCount ?? 0) === 0) continue;
        console.log(`passed at its second run only: ${module.relativeModuleId} > ${test.fullName}`);
      }
    }
  },
};
