import { byId, setText } from './dom.js';

/** Receives the answer to the open question. */
let answered = () => undefined;

/**
 * Asks the user in a dialog before something is lost.
 *
 * @param question `{ title, text, yes, no }`: the last two are the labels of the buttons.
 * @returns whether the user confirms; false if the dialog is closed.
 */
export function confirmed({ title, text, yes, no }) {
  const dialog = byId('confirm');
  const [confirm, keep] = dialog.querySelectorAll('button');
  setText(byId('confirm-title'), title);
  setText(byId('confirm-text'), text);
  setText(confirm, yes);
  setText(keep, no);
  // The `close` event comes late, so an old dialog must not answer for the next one.
  answered(false);
  dialog.onclose = () => {
    if (!dialog.open) answered(dialog.returnValue === 'yes');
  };
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    answered = resolve;
  });
}
