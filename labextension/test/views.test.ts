import assert from 'node:assert/strict';
import { test } from 'node:test';

import { draw, step } from '../src/lineage/layout';
import { readDeployment, readLineage, readModel } from '../src/shapes';
import { decadesOf, saidOf } from '../src/staging/evidence';

const LINEAGE = readLineage({
  root: 'bundle:b',
  nodes: [
    { id: 'bundle:b', layer: 0 },
    { id: 'data:d', layer: -1 },
    { id: 'blob:n', layer: -1 },
    { id: 'prop:p', layer: 1 }
  ],
  edges: [
    { source: 'data:d', target: 'bundle:b' },
    { source: 'blob:n', target: 'bundle:b' },
    { source: 'bundle:b', target: 'prop:p' }
  ]
});

test('columns by layer, from left to right, no two nodes on one place', () => {
  const drawing = draw(LINEAGE);
  assert.deepEqual(drawing.columns.map(column => column.length), [2, 1, 1]);
  const places = [...drawing.places.values()].map(({ x, y }) => `${x},${y}`);
  assert.equal(new Set(places).size, 4);
});

test('arrow keys follow edges and columns, and stop at the rim', () => {
  const drawing = draw(LINEAGE);
  const go = (from: string, key: string) => step(drawing, LINEAGE.edges, from, key);
  assert.equal(go('bundle:b', 'ArrowRight'), 'prop:p');
  assert.equal(go('prop:p', 'ArrowLeft'), 'bundle:b');
  assert.equal(go('prop:p', 'ArrowRight'), null);
  const column = drawing.columns[0]?.map(node => node.id) ?? [];
  assert.equal(go(column[0] ?? '', 'ArrowDown'), column[1]);
});

test('evidence is the smallness of a p-value, in decades', () => {
  assert.equal(decadesOf(1), 0);
  assert.equal(decadesOf(1e-4), 4);
  assert.equal(decadesOf(0), 12); // the rim of the picture
});

test('the chart says in words what it shows', () => {
  const windows = [
    { frame: 100, evidence: 0.4, threshold: 0.002 },
    { frame: 200, evidence: 5e-6, threshold: 0.002 }
  ];
  const said = saidOf({ frames: 210, clips: 30, windows, reference: '' });
  assert.match(said, /^Changed in 1 of 2 checks, first at frame 200\. Odds against chance 200,000 : 1, a page at 500 : 1/);
  assert.match(saidOf({ frames: 9, clips: 1, windows: [], reference: '' }), /no check yet/);
});

test('a field that is not as promised becomes empty, not a blank page', () => {
  const model = readModel({ name: 7, versions: [{ version: 'x', decision: 'pass' }, null], staging: '3' });
  assert.deepEqual([model.name, model.versions.length, model.staging], ['7', 1, null]);
  assert.equal(model.versions[0]?.decision, null);
  assert.equal(readDeployment({}).latency_ms.p50, null);
});
