import { describe, expect, it } from 'vitest';
import { Gate } from '../../../../runtime/hosts/isolation/gate.ts';

describe('the gate to the process of a function', () => {
  const entering = (gate: Gate) => {
    const inside: string[] = [];
    const leave: Record<string, () => void> = {};
    const enter = (name: string, alone = false) => {
      void gate.enter(alone).then((done) => {
        inside.push(name);
        leave[name] = done;
      });
    };
    const settled = () => new Promise((resolve) => setImmediate(resolve));
    return { inside, leave, enter, settled };
  };

  it('lets calls in side by side', async () => {
    const { inside, enter, settled } = entering(new Gate());
    enter('a');
    enter('b');
    await settled();
    expect(inside).toEqual(['a', 'b']);
  });

  it('lets a call that must be alone in when all others have left, and later calls after it, in order', async () => {
    const { inside, leave, enter, settled } = entering(new Gate());
    enter('a');
    enter('b');
    enter('alone', true);
    enter('c');
    await settled();
    leave['a']?.();
    await settled();
    expect(inside).toEqual(['a', 'b']);
    leave['b']?.();
    await settled();
    expect(inside).toEqual(['a', 'b', 'alone']);
    leave['alone']?.();
    await settled();
    expect(inside).toEqual(['a', 'b', 'alone', 'c']);
  });

  it('lets two calls that must be alone in one after the other', async () => {
    const { inside, leave, enter, settled } = entering(new Gate());
    enter('first', true);
    enter('second', true);
    await settled();
    expect(inside).toEqual(['first']);
    leave['first']?.();
    await settled();
    expect(inside).toEqual(['first', 'second']);
  });

  it('lets a call in at once only if it passes by none that must be alone', async () => {
    const gate = new Gate();
    const { inside, leave, enter, settled } = entering(gate);
    const first = gate.enterNow();
    expect(first).toBeDefined();
    enter('alone', true);
    expect(gate.enterNow()).toBeUndefined();
    first?.();
    await settled();
    expect(inside).toEqual(['alone']);
    expect(gate.enterNow()).toBeUndefined();
    leave['alone']?.();
    expect(gate.enterNow()).toBeDefined();
  });
});
