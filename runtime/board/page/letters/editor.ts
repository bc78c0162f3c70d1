import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** An editor of a text. */
export interface Editor {
  text(): string;
  close(): void;
}

const colors = HighlightStyle.define([
  { tag: tags.propertyName, color: 'var(--name)' },
  { tag: tags.string, color: 'var(--string)' },
  { tag: tags.number, color: 'var(--number)' },
  { tag: [tags.bool, tags.null], color: 'var(--keyword)' },
]);

const theme = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'var(--surface)', fontSize: '13px', maxHeight: '45vh' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5' },
  '.cm-content': { caretColor: 'var(--ink)' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': {
    color: 'var(--muted)',
    backgroundColor: 'var(--ground)',
    borderRight: '1px solid var(--line)',
  },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
    backgroundColor: 'var(--picked)',
  },
});

/**
 * Makes an editor with the colors of the page. It is in a shadow tree, because the editor's styles are adopted style sheets
 * there, which the page's policy allows; elsewhere they would be an element with inline styles.
 *
 * @param text JSON is indented, and any other text stays as it is.
 */
export function createEditor(place: HTMLElement, { text, label }: { text: string; label: string }): Editor {
  const root = place.shadowRoot ?? place.attachShadow({ mode: 'open' });
  const isJson = /^\s*[[{]/.test(text);
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: isJson ? indented(text) : text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        keymap.of([...defaultKeymap, ...historyKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': label }),
        theme,
        ...(isJson ? [json(), syntaxHighlighting(colors)] : []),
      ],
    }),
  });
  return { text: () => view.state.doc.toString(), close: () => view.destroy() };
}

/** A number that JavaScript would change keeps the whole text as it is. */
function indented(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text.trim() ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}
