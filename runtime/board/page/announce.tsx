import { useLayoutEffect, useState } from 'preact/hooks';

let announced = (_text: string): void => undefined;

/** Has a screen reader read a text. */
export function announce(text: string): void {
  announced(text);
}

/** The live region for `announce`. */
export function Announcer() {
  const [text, setText] = useState('');
  // An effect would begin a frame later, and lose a text meanwhile.
  useLayoutEffect(() => {
    announced = setText;
  }, []);
  return (
    <div class="unseen" role="status" aria-live="polite">
      {text}
    </div>
  );
}
