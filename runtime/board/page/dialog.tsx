import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

interface DialogProps {
  title: string;
  /** Called when the user closes it. */
  close: () => void;
  children: ComponentChildren;
  isWide?: boolean;
}

/** A modal dialog. The browser keeps the focus in it, and returns the focus when it closes. */
export function Dialog({ title, close, children, isWide = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // An effect would begin a frame later, and a key meanwhile would be for the page behind the dialog.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const shown = dialog.current;
    shown?.showModal();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={isWide ? 'wide' : ''}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

const shortcuts: [keys: string[], does: string][] = [
  [['1', '…', '5'], 'show a view'],
  [['j', '↓'], 'next group or dead letter'],
  [['k', '↑'], 'the one before'],
  [['Enter'], 'open it'],
  [['Esc'], 'go back'],
  [['/'], 'search'],
  [['x', 'Space'], 'select a dead letter'],
  [['a'], 'select all, or none'],
  [['r'], 'replay the selection, the group or the open one'],
  [['e'], 'edit the open one and replay it'],
  [['d'], 'drop the selection, the group or the open one'],
  [['?'], 'this help'],
];

/** The help of the keyboard. */
export function Help({ close }: { close: () => void }) {
  return (
    <Dialog title="Keyboard" close={close}>
      <dl class="shortcuts">
        {shortcuts.map(([keys, does]) => (
          <div key={does}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p class="buttons">
        <button type="button" onClick={close}>
          Close
        </button>
      </p>
    </Dialog>
  );
}
