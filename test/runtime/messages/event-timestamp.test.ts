import { describe, expect, it } from 'vitest';
import { fromTimestamp, toTimestamp } from '../../../runtime/messages/event-timestamp.ts';

describe('timestamps', () => {
  it("timestamp: it is written in AWS's form, in UTC, with plain spaces", () => {
    expect(toTimestamp(2021)).toBe('Jan 1, 1970, 12:33:41 AM');
    expect(toTimestamp(1_700_000_000)).toBe('Nov 14, 2023, 10:13:20 PM');
  });

  it('timestamp: a number that is no date becomes null', () => {
    expect(toTimestamp(1e18)).toBeNull();
  });

  it.each([
    ["AWS's form", 'Nov 14, 2023, 10:13:20 PM'],
    ["AWS's form with the narrow no-break space of newer Java", 'Nov 14, 2023, 10:13:20\u202fPM'],
    ['ISO 8601', '2023-11-14T22:13:20Z'],
    ['seconds', 1_700_000_000],
    ['milliseconds', 1_700_000_000_000],
    ['milliseconds that were formatted as seconds', toTimestamp(1_700_000_000_000)],
  ])('timestamp: it is read from %s', (_form, value) => {
    expect(fromTimestamp(value)?.toISOString()).toBe('2023-11-14T22:13:20.000Z');
  });

  it.each([[null], [undefined], [''], ['yesterday'], [Number.NaN], [-1], ['1969-12-31T23:59:59Z']])(
    'timestamp: %s is ignored',
    (value) => {
      expect(fromTimestamp(value)).toBeUndefined();
    },
  );

  it('timestamp: it means UTC in every time zone of the machine', () => {
    const zone = process.env['TZ'];
    process.env['TZ'] = 'Asia/Tokyo';
    try {
      expect(new Date(0).getHours()).toBe(9);
      expect(toTimestamp(2021)).toBe('Jan 1, 1970, 12:33:41 AM');
      expect(fromTimestamp('Jan 1, 1970, 12:33:41 AM')).toEqual(new Date(2_021_000));
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });
});
