import { useLayoutEffect, useRef } from 'preact/hooks';

/** Functions by the key's name, such as `j` or `ArrowDown`. */
export type Keys = Record<string, (event: KeyboardEvent) => void>;

const layers: { keys: Keys }[] = [];

/** Whether the key belongs to a field in which the user writes. */
function isWriting(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== 'checkbox';
  return target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName);
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isWriting(event) || document.querySelector('dialog[open]')) return;
  const layer = layers.findLast(({ keys }) => Object.hasOwn(keys, event.key));
  if (!layer) return;
  event.preventDefault();
  layer.keys[event.key]?.(event);
});

/** Handles keys while the component is shown. The one that was shown last comes first. */
export function useKeys(keys: Keys): void {
  const layer = useRef({ keys });
  layer.current.keys = keys;
  // An effect would begin a frame later, and lose a key that is pressed as soon as the component is visible.
  useLayoutEffect(() => {
    const own = layer.current;
    layers.push(own);
    return () => {
      layers.splice(layers.indexOf(own), 1);
    };
  }, []);
}

/** Moves the focus by `step` among elements, in their order; to the first one if none has it. */
export function moveFocus(elements: readonly HTMLElement[], step: number): void {
  const now = elements.indexOf(document.activeElement as HTMLElement);
  const next = now < 0 ? 0 : Math.min(Math.max(now + step, 0), elements.length - 1);
  elements[next]?.focus();
}
