/**
 * Polls: often while something changes, less and less often while nothing changes, and not at all while the tab is hidden.
 *
 * @param look resolves with true if something changed, false if not, undefined if there is nothing to check until
 *   `wake`.
 * @param pace `often` is the pause in milliseconds, for `patience` polls without a change; then it grows up to `seldom`.
 */
export function watch(look, { often = 500, seldom = 10_000, patience = 20 } = {}) {
  let timer;
  let looking = false;
  let again = false;
  let quiet = 0;
  let stopped = false;

  const pause = () => Math.min(seldom, often * 1.5 ** Math.max(0, quiet - patience));

  async function turn() {
    clearTimeout(timer);
    if (stopped || document.hidden) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    again = false;
    // `look` reports its own errors.
    const seen = await look().catch(() => false);
    looking = false;
    quiet = seen || again ? 0 : quiet + 1;
    if (again) turn();
    else if (seen !== undefined && !stopped) timer = setTimeout(turn, pause());
  }

  document.addEventListener('visibilitychange', turn);
  return {
    /** Polls immediately, because a change is expected. */
    wake() {
      quiet = 0;
      turn();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', turn);
    },
  };
}
