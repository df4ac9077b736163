import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fieldsOf, valueOf, valuesOf, type IField } from '../src/form/fields';

/** As the server tells it of a notebook. */
const SCHEMA = {
  required: ['bundle'],
  properties: {
    bundle: { type: 'string', format: 'BundleId', description: 'the bundle to judge' },
    epochs: { type: 'integer', minimum: 1, maximum: 50, default: 12, unit: 'passes' },
    rate: { type: 'number', default: 0.003 },
    fast: { type: 'boolean', default: true },
    limit: { anyOf: [{ type: 'number', minimum: 0 }, { type: 'null' }], default: null },
    mode: { enum: ['a', 'b'], type: 'string', default: 'b' },
    slices: { type: 'array', items: { type: 'string' }, default: ['weather', 'light'] },
    odd: { type: 'object', default: { a: 1 } },
    run_id: { type: 'string', default: '' }
  }
};

const questions = fieldsOf(SCHEMA);
const named = (name: string): IField => {
  const found = questions.find(one => one.name === name);
  assert.ok(found, name);
  return found;
};

test('a question for every parameter but the run id, in order', () => {
  assert.deepEqual(
    questions.map(one => [one.name, one.kind, one.initial]),
    [
      ['bundle', 'text', ''],
      ['epochs', 'integer', '12'],
      ['rate', 'number', '0.003'],
      ['fast', 'boolean', true],
      ['limit', 'number', ''],
      ['mode', 'choice', 'b'],
      ['slices', 'list', 'weather, light'],
      ['odd', 'json', '{"a":1}']
    ]
  );
  assert.equal(named('limit').optional, true);
  assert.equal(named('epochs').unit, 'passes');
});

test('only what was changed, and what must be said, is sent', () => {
  assert.deepEqual(valuesOf(questions, { bundle: 'bundle:1', slices: 'weather,', epochs: '3' }), {
    values: { bundle: 'bundle:1', slices: ['weather'], epochs: 3 },
    problems: {}
  });
  assert.equal(valuesOf(questions, { bundle: 'x', limit: '' }, true).values.limit, null);
});

test('an answer that cannot be meant is told of, by name', () => {
  const { values, problems } = valuesOf(questions, { epochs: '0', rate: 'x', odd: '{' });
  assert.deepEqual(values, {});
  assert.deepEqual(Object.keys(problems), ['bundle', 'epochs', 'rate', 'odd']);
  assert.equal(problems.epochs, 'epochs is 0. Write a whole number, 1 to 50.');
  assert.ok('problem' in valueOf(named('epochs'), '1.5'));
  assert.ok('problem' in valueOf(named('rate'), ''));
});

test('a password is asked for as one, also where it may stay empty', () => {
  const [asked] = fieldsOf({ properties: { password: { anyOf: [{ type: 'string' }, { type: 'null' }], format: 'password' } } });
  assert.deepEqual([asked?.kind, asked?.format, asked?.initial, asked?.optional], ['text', 'password', '', true]);
});

test('a schema that is none makes a form without questions', () => {
  assert.deepEqual(fieldsOf({}), []);
  assert.equal(fieldsOf({ properties: { odd: 7 } })[0]?.kind, 'json');
});
