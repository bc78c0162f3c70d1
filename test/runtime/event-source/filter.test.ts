import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { WarrenError } from '../../../runtime/base/errors.ts';
import { compileFilter } from '../../../runtime/event-source/filter.ts';
import { readMappings } from '../../../runtime/event-source/mapping.ts';
import { utf16 } from '../../support/utf16.ts';

const bytes = (body: unknown) => Buffer.from(JSON.stringify(body));

/** Whether one pattern on `data` matches a body given as a value. */
const matches = (data: unknown, body: unknown) => compileFilter([{ data }])(bytes(body));

const matchesText = (data: unknown, body: string) => compileFilter([{ data }])(Buffer.from(body));

const problemsOf = (...patterns: unknown[]): string[] => {
  try {
    compileFilter(patterns);
  } catch (error) {
    if (error instanceof WarrenError && error.code === 'ERR_CONFIG') return error.message.split('\n');
    throw error;
  }
  throw new Error('expected compileFilter to throw');
};

describe("AWS's documented examples", () => {
  // https://docs.aws.amazon.com/lambda/latest/dg/with-mq-filtering.html
  it('a numeric filter matches only messages with a timeout above 0', () => {
    const pattern = { timeout: [{ numeric: ['>', 0] }] };
    expect(matches(pattern, { timeout: 0, IPAddress: '203.0.113.254' })).toBe(false);
    expect(matches(pattern, { timeout: 1, IPAddress: '203.0.113.254' })).toBe(true);
  });

  it('a prefix filter matches only plain text that begins with "Result: "', () => {
    const pattern = [{ prefix: 'Result: ' }];
    expect(matchesText(pattern, 'Result: passed')).toBe(true);
    expect(matchesText(pattern, 'The result: passed')).toBe(false);
  });

  // https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
  it.each([
    ['null', { UserID: [null] }, { UserID: null }, { UserID: '' }],
    ['empty', { LastName: [''] }, { LastName: '' }, { LastName: null }],
    ['equals', { Name: ['Alice'] }, { Name: 'Alice' }, { Name: 'alice' }],
    [
      'equals, ignoring case',
      { Name: [{ 'equals-ignore-case': 'alice' }] },
      { Name: 'ALICE' },
      { Name: 'Al' },
    ],
    [
      'and',
      { Location: ['New York'], Day: ['Monday'] },
      { Location: 'New York', Day: 'Monday' },
      { Location: 'New York', Day: 'Tuesday' },
    ],
    ['or', { PaymentType: ['Credit', 'Debit'] }, { PaymentType: 'Debit' }, { PaymentType: 'Cash' }],
    [
      'or over several fields',
      { $or: [{ Location: ['New York'] }, { Day: ['Monday'] }] },
      { Location: 'Boston', Day: 'Monday' },
      { Location: 'Boston', Day: 'Tuesday' },
    ],
    ['not', { Weather: [{ 'anything-but': ['Raining'] }] }, { Weather: 'Sunny' }, { Weather: 'Raining' }],
    ['numeric equals', { Price: [{ numeric: ['=', 100] }] }, { Price: 100 }, { Price: 100.5 }],
    ['numeric range', { Price: [{ numeric: ['>', 10, '<=', 20] }] }, { Price: 20 }, { Price: 10 }],
    ['exists', { ProductName: [{ exists: true }] }, { ProductName: 'x' }, { Product: 'x' }],
    ['does not exist', { ProductName: [{ exists: false }] }, { Product: 'x' }, { ProductName: 'x' }],
    ['begins with', { Region: [{ prefix: 'us-' }] }, { Region: 'us-east-1' }, { Region: 'eu-west-1' }],
    ['ends with', { FileName: [{ suffix: '.png' }] }, { FileName: 'a.png' }, { FileName: 'a.PNG' }],
    [
      'several levels',
      { Keys: { Id: { N: ['101'] } } },
      { Keys: { Id: { N: '101' } } },
      { Keys: { N: '101' } },
    ],
  ])('%s', (_name, pattern, taken, left) => {
    expect(matches(pattern, taken)).toBe(true);
    expect(matches(pattern, left)).toBe(false);
  });

  // https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
  it.each([
    [
      'prefix, ignoring case',
      { service: [{ prefix: { 'equals-ignore-case': 'EventB' } }] },
      'eventbridge',
      'sqs',
    ],
    ['suffix, ignoring case', { service: [{ suffix: { 'equals-ignore-case': '.png' } }] }, 'a.PNG', 'a.jpg'],
    ['anything but a text', { service: [{ 'anything-but': 'initializing' }] }, 'running', 'initializing'],
    ['anything but a number', { service: [{ 'anything-but': 123 }] }, 124, 123],
    ['anything but texts', { service: [{ 'anything-but': ['stopped', 'overloaded'] }] }, 'up', 'overloaded'],
    ['anything but numbers', { service: [{ 'anything-but': [100, 200, 300] }] }, 301, 300],
    [
      'anything but a prefix',
      { service: [{ 'anything-but': { prefix: 'init' } }] },
      'running',
      'initializing',
    ],
    ['anything but a suffix', { service: [{ 'anything-but': { suffix: '.png' } }] }, 'a.jpg', 'a.png'],
    [
      'anything but, ignoring case',
      { service: [{ 'anything-but': { 'equals-ignore-case': 'initializing' } }] },
      'running',
      'INITIALIZING',
    ],
    [
      'anything but one of a list, ignoring case',
      { service: [{ 'anything-but': { 'equals-ignore-case': ['initializing', 'stopped'] } }] },
      'running',
      'Stopped',
    ],
    [
      'anything but a wildcard',
      { service: [{ 'anything-but': { wildcard: '*/lib/*' } }] },
      '/bin/a',
      '/lib/a',
    ],
    ['wildcard', { service: [{ wildcard: 'dir/*.png' }] }, 'dir/a/b.png', 'dirs/a.png'],
    ['addresses', { service: [{ cidr: '10.0.0.0/24' }] }, '10.0.0.255', '10.0.1.0'],
  ])('%s', (_name, pattern, taken, left) => {
    expect(matches(pattern, { service: taken })).toBe(true);
    expect(matches(pattern, { service: left })).toBe(false);
  });

  it('a pattern with several fields matches if all of them match', () => {
    const pattern = {
      time: [{ prefix: '2017-10-02' }],
      detail: {
        state: [{ 'anything-but': 'initializing' }],
        'c-count': [{ numeric: ['>', 0, '<=', 5] }],
        'd-count': [{ numeric: ['<', 10] }],
        'x-limit': [{ 'anything-but': [100, 200, 300] }],
      },
    };
    const detail = { state: 'running', 'c-count': 5, 'd-count': 3, 'x-limit': 301.8 };
    const body = { time: '2017-10-02T18:43:48Z', detail };
    expect(matches(pattern, body)).toBe(true);
    expect(matches(pattern, { ...body, detail: { ...detail, 'x-limit': 200 } })).toBe(false);
    expect(matches(pattern, { ...body, detail: { ...detail, 'd-count': 10 } })).toBe(false);
    expect(matches(pattern, { ...body, time: '2017-10-03' })).toBe(false);
  });

  it('$or works beside other fields, within fields and within itself', () => {
    const pattern = {
      source: ['aws.cloudwatch'],
      $or: [
        { metricName: ['CPUUtilization', 'ReadLatency'] },
        {
          metricType: ['MetricType'],
          namespace: ['AWS/EC2'],
          $or: [{ metricId: [1234] }, { spaceId: [1000] }],
        },
        { detail: { $or: [{ scope: ['Service'] }, { type: ['Alarm'] }] } },
      ],
    };
    const source = 'aws.cloudwatch';
    expect(matches(pattern, { source, metricName: 'ReadLatency' })).toBe(true);
    expect(matches(pattern, { metricName: 'ReadLatency' })).toBe(false);
    expect(matches(pattern, { source, metricType: 'MetricType', namespace: 'AWS/EC2', spaceId: 1000 })).toBe(
      true,
    );
    expect(matches(pattern, { source, metricType: 'MetricType', namespace: 'AWS/EC2', spaceId: 1 })).toBe(
      false,
    );
    expect(matches(pattern, { source, detail: { type: 'Alarm' } })).toBe(true);
    expect(matches(pattern, { source, detail: { type: 'Other' } })).toBe(false);
  });
});

describe('bodies', () => {
  it('without patterns every message matches, even if its body is not text', () => {
    expect(compileFilter([])(Buffer.from([0xff, 0x00]))).toBe(true);
  });

  it('a message matches if any of the patterns does', () => {
    const matchesAny = compileFilter([
      { data: { a: [1] } },
      { data: { b: [2] } },
      { data: [{ prefix: 'x' }] },
    ]);
    expect([bytes({ a: 1 }), bytes({ b: 2 }), Buffer.from('xyz')].map(matchesAny)).toEqual([
      true,
      true,
      true,
    ]);
    expect([bytes({ a: 2, b: 1 }), Buffer.from('yz')].map(matchesAny)).toEqual([false, false]);
  });

  it('a pattern for JSON does not match plain text, even if it requires an absent field', () => {
    expect(matchesText({ a: [{ exists: false }] }, 'not JSON')).toBe(false);
    expect(matchesText({ a: [{ exists: false }] }, '')).toBe(false);
    expect(matchesText({ a: [1] }, '{"a": 1')).toBe(false);
  });

  it('a pattern for plain text does not match JSON, not even a number or a quoted text', () => {
    for (const body of [{ a: 'x' }, ['x'], 'x', 5, null]) {
      expect(matches([{ 'anything-but': 'other' }, 'x', 5, null], body)).toBe(false);
    }
  });

  it('a body in UTF-16, with or without its byte order mark, matches as in UTF-8, because the function reads it too', () => {
    const matchesJson = compileFilter([{ data: { kind: ['walk'] } }]);
    for (const order of ['le', 'be'] as const) {
      expect(matchesJson(utf16('{"kind":"walk"}', order))).toBe(true);
      expect(matchesJson(utf16('{"kind":"walk"}', order).subarray(2))).toBe(true);
      expect(matchesJson(utf16('{"kind":"wash"}', order))).toBe(false);
    }
  });

  it('bytes that are not UTF-8 match no pattern', () => {
    const utf16 = Buffer.from('Result', 'utf16le');
    const invalid = Buffer.from([0x52, 0xff]);
    expect(compileFilter([{ data: [{ prefix: 'R' }] }])(invalid)).toBe(false);
    expect(compileFilter([{ data: ['Result'] }])(utf16)).toBe(false);
  });

  it('plain text is matched as a whole by values, filters and exists', () => {
    expect(matchesText(['ping', 'pong'], 'pong')).toBe(true);
    expect(matchesText(['ping'], 'Ping')).toBe(false);
    expect(matchesText([{ exists: true }], 'ping')).toBe(true);
    expect(matchesText([{ exists: false }], 'ping')).toBe(false);
    expect(matchesText([''], '')).toBe(true);
    expect(matchesText([{ numeric: ['=', 5] }], 'five')).toBe(false);
  });

  it('JSON that is not an object has no fields', () => {
    expect(matches({ a: [{ exists: false }] }, 5)).toBe(true);
    expect(matches({ a: [{ exists: false }] }, null)).toBe(true);
    expect(matches({ length: [2] }, 'ab')).toBe(false);
    expect(matches({ length: [2] }, [1, 2])).toBe(false);
  });

  it('a field that a body only inherits is absent', () => {
    expect(matches({ constructor: [{ exists: true }] }, {})).toBe(false);
    expect(matches({ toString: { name: ['toString'] } }, {})).toBe(false);
    expect(matchesText({ ['__proto__']: ['x'] }, '{"__proto__": "x"}')).toBe(true);
  });
});

describe('values', () => {
  it.each([
    [5, '5'],
    ['5', 5],
    [true, 'true'],
    [false, 0],
    [null, 'null'],
    [null, 0],
    ['', null],
    [0, null],
  ])('%j does not match %j', (expected, value) => {
    expect(matches({ a: [expected] }, { a: value })).toBe(false);
    expect(matches({ a: [expected] }, { a: expected })).toBe(true);
  });

  it('null and a missing field are different', () => {
    expect(matches({ a: [null] }, { a: null })).toBe(true);
    expect(matches({ a: [null] }, {})).toBe(false);
    expect(matches({ a: [{ exists: true }] }, { a: null })).toBe(true);
    expect(matches({ a: [{ exists: false }] }, { a: null })).toBe(false);
  });

  it('a text never matches a number', () => {
    expect(matches({ a: [{ numeric: ['=', 5] }] }, { a: '5' })).toBe(false);
    expect(matches({ a: [{ numeric: ['<', 5] }] }, { a: null })).toBe(false);
    expect(matches({ a: [{ numeric: ['>=', 0] }] }, { a: true })).toBe(false);
  });

  it.each([
    [['=', 3.018e2], 301.8, 301.81],
    [['>', -1], 0, -1],
    [['>=', 1], 1, 0.999],
    [['<', 1], 0.999, 1],
    [['<=', 1], 1, 1.001],
    [['>=', 1, '<', 2], 1, 2],
    [['>', 1, '<=', 2], 2, 1],
  ])('numeric %j compares numbers', (numeric, taken, left) => {
    expect(matches({ a: [{ numeric }] }, { a: taken })).toBe(true);
    expect(matches({ a: [{ numeric }] }, { a: left })).toBe(false);
  });

  it('text is compared by code units, without normalization', () => {
    expect(matches({ a: ['naïve 🐇'] }, { a: 'naïve 🐇' })).toBe(true);
    expect(matches({ a: ['na\u00efve'] }, { a: 'nai\u0308ve' })).toBe(false);
    expect(matches({ 'größe 🐇': [{ suffix: '🐇' }] }, { 'größe 🐇': 'ein 🐇' })).toBe(true);
    expect(matches({ a: [{ prefix: 'ab' }] }, { a: 'Abc' })).toBe(false);
  });

  it('equals-ignore-case ignores case beyond ASCII', () => {
    expect(matches({ a: [{ 'equals-ignore-case': 'GRÖSSE ÉTÉ' }] }, { a: 'größse été' })).toBe(false);
    expect(matches({ a: [{ 'equals-ignore-case': 'ÉTÉ ΔΕ' }] }, { a: 'été δε' })).toBe(true);
  });

  it('filters for text match only text', () => {
    for (const filter of [{ prefix: '' }, { suffix: '' }, { wildcard: '*' }, { 'equals-ignore-case': '5' }]) {
      expect(matches({ a: [filter] }, { a: 5 })).toBe(false);
    }
  });

  it('anything-but matches a value of another type', () => {
    expect(matches({ a: [{ 'anything-but': 'x' }] }, { a: 5 })).toBe(true);
    expect(matches({ a: [{ 'anything-but': 5 }] }, { a: '5' })).toBe(true);
    expect(matches({ a: [{ 'anything-but': 5 }] }, { a: null })).toBe(true);
    expect(matches({ a: [{ 'anything-but': { prefix: 'x' } }] }, { a: 5 })).toBe(true);
  });

  it('anything-but does not match an absent value', () => {
    expect(matches({ a: [{ 'anything-but': 'x' }] }, {})).toBe(false);
    expect(matches({ a: [{ 'anything-but': 'x' }] }, { a: { b: 'y' } })).toBe(false);
  });

  it.each([
    ['*', '', true],
    ['a*', 'a', true],
    ['a*b*c', 'a1b2c', true],
    ['a*b*c', 'acb', false],
    ['a*a', 'a', false],
    ['a*bc*bc', 'abc', false],
    ['ab', 'abc', false],
    [String.raw`a\*b`, 'a*b', true],
    [String.raw`a\*b`, 'axb', false],
    [String.raw`a\\*`, String.raw`a\b`, true],
    ['a.b', 'axb', false],
  ])('wildcard %s matches %s: %s', (wildcard, value, expected) => {
    expect(matches({ a: [{ wildcard }] }, { a: value })).toBe(expected);
  });

  it('cidr matches addresses of both IP versions, and no other text', () => {
    expect(matches({ a: [{ cidr: '2001:db8::/32' }] }, { a: '2001:db8:1::1' })).toBe(true);
    expect(matches({ a: [{ cidr: '2001:db8::/32' }] }, { a: '10.0.0.1' })).toBe(false);
    expect(matches({ a: [{ cidr: '0.0.0.0/0' }] }, { a: 'localhost' })).toBe(false);
  });
});

describe('arrays in a body', () => {
  const employees = [
    { firstName: 'John', lastName: 'Doe', tags: ['a', 'b'] },
    { firstName: 'Anna', lastName: 'Smith', tags: [] },
    { firstName: 'Peter', lastName: 'Jones', nickName: 'Pete' },
  ];

  it('an array matches if any of its elements does', () => {
    expect(matches({ a: [2] }, { a: [1, 2, 3] })).toBe(true);
    expect(matches({ a: [4] }, { a: [1, 2, 3] })).toBe(false);
    expect(matches({ a: [{ 'anything-but': [1] }] }, { a: [1, 2] })).toBe(true);
    expect(matches({ a: [{ 'anything-but': [1, 2] }] }, { a: [1, 2] })).toBe(false);
  });

  it('arrays match at any depth', () => {
    expect(matches({ a: [3] }, { a: [[1], [2, [3]]] })).toBe(true);
    expect(
      matches({ employees: { firstName: ['Anna'] } }, { employees: [[employees[0]], [employees[1]]] }),
    ).toBe(true);
  });

  it('several fields of an array have to match in the same element', () => {
    expect(matches({ employees: { firstName: ['Anna'], lastName: ['Smith'] } }, { employees })).toBe(true);
    expect(matches({ employees: { firstName: ['Anna'], lastName: ['Jones'] } }, { employees })).toBe(false);
    expect(matches({ firstName: ['Anna'], lastName: ['Smith'] }, employees)).toBe(true);
    expect(
      matches(
        { employees: { firstName: ['Anna'], $or: [{ lastName: ['Jones'] }, { tags: ['a'] }] } },
        { employees },
      ),
    ).toBe(false);
  });

  it('a field exists in an array if one of its elements has it', () => {
    expect(matches({ employees: { nickName: [{ exists: true }] } }, { employees })).toBe(true);
    expect(matches({ employees: { nickName: [{ exists: false }] } }, { employees })).toBe(false);
    expect(matches({ employees: { age: [{ exists: false }] } }, { employees })).toBe(true);
  });

  it('a field is absent if the element that earlier fields matched lacks it, in the order of names as in EventBridge', () => {
    const items = [{ sku: 'A', zone: 1 }, { sku: 'B' }, { sku: 'C', batch: 7 }];
    expect(matches({ items: { sku: ['B'], zone: [{ exists: false }] } }, { items })).toBe(true);
    expect(matches({ items: { sku: ['A'], zone: [{ exists: false }] } }, { items })).toBe(false);
    // Before a field has matched an element, no element may have the absent field.
    expect(matches({ items: { batch: [{ exists: false }], sku: ['B'] } }, { items })).toBe(false);
    expect(matches({ items: { amount: [{ exists: false }], sku: ['B'] } }, { items })).toBe(true);
    // The order of the pattern's own keys does not matter.
    expect(matches({ items: { zone: [{ exists: false }], sku: ['B'] } }, { items })).toBe(true);
  });

  it('a list may allow a value and its absence', () => {
    const items = [{ sku: 'A', zone: 1 }, { sku: 'B' }, { sku: 'C', zone: 2 }];
    const pattern = (sku: string) => ({ items: { sku: [sku], zone: [{ exists: false }, 1] } });
    expect(['A', 'B', 'C'].map((sku) => matches(pattern(sku), { items }))).toEqual([true, true, false]);
  });

  it('an empty array has no values and no fields', () => {
    expect(matches({ a: [{ exists: true }] }, { a: [] })).toBe(false);
    expect(matches({ a: [{ exists: false }] }, { a: [] })).toBe(true);
    expect(matches({ a: { b: [{ exists: false }] } }, { a: [] })).toBe(true);
    expect(matches({ a: [null, { 'anything-but': 'x' }] }, { a: [[]] })).toBe(false);
  });

  it('arrays may be long, or nested deeper than the stack', () => {
    const deep = `${'['.repeat(200_000)}7${']'.repeat(200_000)}`;
    expect(matchesText({ a: [7] }, `{"a": ${deep}}`)).toBe(true);
    expect(matchesText({ a: { b: [{ exists: false }] } }, `{"a": ${deep}}`)).toBe(true);
    const items = Array.from({ length: 50_000 }, (_, at) => ({ at, ...(at === 49_999 && { after: true }) }));
    // Quadratic time would be minutes.
    expect(matches({ items: { after: [{ exists: false }], at: [{ numeric: ['<', 0] }] } }, { items })).toBe(
      false,
    );
  });

  it('exists matches only values that are not objects', () => {
    expect(matches({ detail: { count: [{ exists: false }] } }, { detail: { count: { c1: 100 } } })).toBe(
      true,
    );
    expect(matches({ detail: { count: [{ exists: true }] } }, { detail: { count: { c1: 100 } } })).toBe(
      false,
    );
  });
});

describe('a bad pattern', () => {
  it.each([
    ['no object', ['data'], 'filterPatterns.0: expected { data: <pattern> } and no other key, got "data"'],
    ['no data', [{ body: { a: [1] } }], 'filterPatterns.0: expected { data: <pattern> } and no other key'],
    ['a key beside data', [{ data: ['a'], redelivered: [true] }], 'filterPatterns.0: expected { data:'],
    ['a plain value', [{ data: 'a' }], 'filterPatterns.0.data: expected an object'],
    ['no fields', [{ data: {} }], 'filterPatterns.0.data: expected an object'],
    ['a value without a list', [{ data: { a: 5 } }], 'filterPatterns.0.data.a: expected an object'],
    ['nothing in an object', [{ data: { a: {} } }], 'filterPatterns.0.data.a: expected an object'],
    [
      'an empty list',
      [{ data: { a: [] } }],
      'filterPatterns.0.data.a: expected at least one value or filter',
    ],
    ['an empty list for text', [{ data: [] }], 'filterPatterns.0.data: expected at least one value'],
    ['a list in a list', [{ data: { a: [[1]] } }], 'filterPatterns.0.data.a.0: expected a string, a number'],
    ['two filters in one', [{ data: { a: [{ prefix: 'a', suffix: 'b' }] } }], 'data.a.0: expected a string'],
    ['no filter', [{ data: { a: [{}] } }], 'filterPatterns.0.data.a.0: expected a string, a number'],
    [
      'an unknown filter',
      [{ data: { a: ['x', { contains: 'a' }] } }],
      'a.1.contains: expected one of prefix, ',
    ],
    [
      'an inherited name',
      [{ data: { a: [{ toString: 'a' }] } }],
      'data.a.0.toString: expected one of prefix',
    ],
    ['a prefix that is a number', [{ data: { a: [{ prefix: 5 }] } }], 'a.0.prefix: expected a string or'],
    [
      'a prefix with another filter',
      [{ data: { a: [{ prefix: { suffix: 'a' } }] } }],
      'a.0.prefix: expected',
    ],
    [
      'a case that is null',
      [{ data: { a: [{ 'equals-ignore-case': null }] } }],
      'ignore-case: expected a string',
    ],
    [
      'existence as text',
      [{ data: { a: [{ exists: 'yes' }] } }],
      'a.0.exists: expected true or false, got "yes"',
    ],
    ['a number as text', [{ data: { a: [{ numeric: ['>', '5'] }] } }], 'a.0.numeric: expected [<one of'],
    ['an unknown comparison', [{ data: { a: [{ numeric: ['!=', 5] }] } }], 'a.0.numeric: expected [<one of'],
    ['an inherited comparison', [{ data: { a: [{ numeric: ['toString', 5] }] } }], 'a.0.numeric: expected'],
    ['a range from above', [{ data: { a: [{ numeric: ['<', 5, '>', 0] }] } }], 'a.0.numeric: expected'],
    ['an empty range', [{ data: { a: [{ numeric: ['>', 5, '<', 5] }] } }], 'a.0.numeric: expected'],
    ['a range without an end', [{ data: { a: [{ numeric: ['>', 5, '<'] }] } }], 'a.0.numeric: expected'],
    [
      'a range with too much',
      [{ data: { a: [{ numeric: ['>', 0, '<', 5, '<', 6] }] } }],
      'a.0.numeric: expected',
    ],
    ['a range that is equal', [{ data: { a: [{ numeric: ['=', 0, '<', 5] }] } }], 'a.0.numeric: expected'],
    ['infinity', [{ data: { a: [{ numeric: ['<', Infinity] }] } }], 'a.0.numeric: expected'],
    ['a number alone', [{ data: { a: [{ numeric: 5 }] } }], 'a.0.numeric: expected'],
    ['a mixed list', [{ data: { a: [{ 'anything-but': ['a', 5] }] } }], 'a.0.anything-but: expected'],
    ['anything but nothing', [{ data: { a: [{ 'anything-but': [] }] } }], 'a.0.anything-but: expected'],
    ['anything but null', [{ data: { a: [{ 'anything-but': null }] } }], 'a.0.anything-but: expected'],
    [
      'anything but a number filter',
      [{ data: { a: [{ 'anything-but': { numeric: ['=', 5] } }] } }],
      'one of prefix',
    ],
    [
      'anything but no prefix',
      [{ data: { a: [{ 'anything-but': { prefix: [] } }] } }],
      'anything-but.prefix: ',
    ],
    [
      'anything but a prefix of 5',
      [{ data: { a: [{ 'anything-but': { prefix: 5 } }] } }],
      'anything-but.prefix: ',
    ],
    ['anything but any', [{ data: { a: [{ 'anything-but': { prefix: '' } }] } }], 'anything-but.prefix: '],
    ['two stars', [{ data: { a: [{ wildcard: 'a**' }] } }], 'a.0.wildcard: expected'],
    ['a lone backslash', [{ data: { a: [{ wildcard: String.raw`a\b` }] } }], 'a.0.wildcard: expected'],
    ['no network', [{ data: { a: [{ cidr: '10.0.0.0' }] } }], 'a.0.cidr: expected addresses'],
    ['a network of 33 bits', [{ data: { a: [{ cidr: '10.0.0.0/33' }] } }], 'a.0.cidr: expected addresses'],
    ['$or with one', [{ data: { $or: [{ a: [1] }] } }], 'data.$or: expected a list of two patterns or more'],
    ['$or with values', [{ data: { $or: [1, 2] } }], 'data.$or.0: expected an object'],
    ['six patterns', Array(6).fill({ data: ['a'] }), 'filterPatterns: expected at most 5 patterns, got 6'],
  ])('a bad pattern is refused: %s', (_what, patterns, problem) => {
    expect(problemsOf(...patterns)[0]).toContain(problem);
  });

  it('the error names every bad pattern', () => {
    expect(problemsOf({ data: { a: [], b: { c: [{ exists: 1 }] } } }, { data: 5 })).toEqual([
      'filterPatterns.0.data.a: expected at least one value or filter, got []',
      'filterPatterns.0.data.b.c.0.exists: expected true or false, got 1',
      expect.stringContaining('filterPatterns.1.data: expected'),
    ]);
  });

  it('a long pattern is shown in part', () => {
    const [problem = ''] = problemsOf({ data: 'x'.repeat(10_000) });
    expect(problem.length).toBeLessThan(250);
  });
});

describe('docs/event-source.md', () => {
  it('docs/event-source.md shows only patterns that work', async () => {
    const page = await readFile('docs/event-source.md', 'utf8');
    const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
    const [mapping] = readMappings(parse(yaml).functions);
    const matchesPage = compileFilter(mapping?.filterPatterns ?? []);
    const taken = [
      { severity: 'major', disk: { free: 9 }, team: 'web' },
      { severity: 'minor' },
      { team: 'db' },
    ];
    expect(taken.map((body) => matchesPage(bytes(body)))).toEqual([true, true, true]);
    expect(matchesPage(bytes({ severity: 'critical', disk: { free: 10 }, team: 'mail' }))).toBe(false);
    expect(matchesPage(Buffer.from('Result: passed'))).toBe(true);

    const [, table = ''] = /\| filter \| example \| matches \|\n(.*?)\n\n/s.exec(page) ?? [];
    const examples = table.split('\n').flatMap((row) => {
      const cell = row.split(' | ')[1] ?? '';
      return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
    });
    for (const example of examples) {
      const data = example.startsWith('$or') ? parse(example) : { field: parse(example) };
      expect(() => compileFilter([{ data }]), example).not.toThrow();
    }
    expect(examples.length).toBeGreaterThan(10);
  });
});
