/**
 * Looks again and again: often while there is something to see, ever more rarely when nothing changes, and not at all
 * while the tab is hidden.
 *
 * @param look resolves with true where something changed, false where not, undefined where there is nothing to look for
 *   until `wake`.
 * @param pace `often` is the pause in milliseconds, for `patience` looks without a change; then it grows up to `seldom`.
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
    // What goes wrong is told by whoever looks.
    const seen = await look().catch(() => false);
    looking = false;
    quiet = seen || again ? 0 : quiet + 1;
    if (again) turn();
    else if (seen !== undefined && !stopped) timer = setTimeout(turn, pause());
  }

  document.addEventListener('visibilitychange', turn);
  return {
    /** Something is under way: look at once. */
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
