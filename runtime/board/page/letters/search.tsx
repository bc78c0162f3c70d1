import { go, linkTo } from '../route.ts';
import { type ListFilter, parametersOf } from './filter.ts';

interface SearchProps {
  filter: ListFilter | undefined;
  input: { current: HTMLInputElement | null };
}

/** Searches a group or all. */
export function SearchForm({ filter, input }: SearchProps) {
  const { text = '', ...group } = filter ?? {};
  const submit = (event: Event) => {
    event.preventDefault();
    const value = input.current?.value.trim() ?? '';
    if (value) go(linkTo('letters', { ...group, text: value }));
    else if (filter) go(linkTo('letters', parametersOf(group)));
    input.current?.blur();
  };
  const label = group.queue === undefined ? 'Search all' : `Search in this group of ${group.queue}`;
  return (
    <search>
      <form class="search" onSubmit={submit}>
        <input
          ref={input}
          key={text}
          type="search"
          defaultValue={text}
          maxLength={1000}
          placeholder={group.queue === undefined ? 'Search bodies, headers, errors' : 'Search this group'}
          aria-label={label}
          aria-keyshortcuts="/"
        />
        <span class="key" aria-hidden="true">
          /
        </span>
      </form>
    </search>
  );
}
