import assert from 'node:assert/strict';
import { test } from 'node:test';

import { heard, merged, newerJob, newerRun, placed, share } from '../src/merging';
import { readJob, readRun } from '../src/shapes';

const run = (id: string, lines: number, began_at = '2026-01-01') => readRun({ id, lines, began_at, status: 'running' });
const job = (status: string, done = 0, run = '') =>
  readJob({ id: 'job:1', began_at: '2026-01-01', status, done, total: 9, run });

test('events that arrive late change nothing', () => {
  const known = [run('run:1', 5)];
  assert.equal(placed(known, run('run:1', 4), newerRun), known);
  assert.equal(placed(known, run('run:1', 6), newerRun)[0]?.lines, 6);
});

test('a job that ended never goes on again', () => {
  assert.equal(newerJob(job('done'), job('running', 9)), false);
  assert.equal(newerJob(job('running', 9), job('done')), true);
  assert.equal(newerJob(job('running', 5), job('running', 4)), false);
  assert.equal(newerJob(job('running', 5), job('running', 5, 'run:1')), true);
});

test('a new one is placed by the time it began', () => {
  const known = [run('run:3', 1, '2026-03-01'), run('run:1', 1, '2026-01-01')];
  const ids = placed(known, run('run:2', 1, '2026-02-01'), newerRun).map(one => one.id);
  assert.deepEqual(ids, ['run:3', 'run:2', 'run:1']);
});

test('a snapshot keeps what events told better, and what began after it', () => {
  const known = [run('run:3', 2, '2026-03-01'), run('run:2', 9, '2026-02-01'), run('run:0', 1, '2025-01-01')];
  const seen = merged(known, [run('run:2', 7, '2026-02-01'), run('run:1', 1, '2026-01-01')], newerRun);
  assert.deepEqual(
    seen.map(one => [one.id, one.lines]),
    [['run:3', 2], ['run:2', 9], ['run:1', 1]] // run:0 is older than the oldest of the snapshot
  );
});

test('older runs stay below a snapshot that joins them, and go where some may be missing', () => {
  const at = (n: number) => run(`run:${n}`, 1, String(1000 + n));
  const runs = (from: number, to: number) => Array.from({ length: from - to }, (_, n) => at(from - 1 - n));
  const ids = (known: readonly { id: string }[]) => known.map(one => Number(one.id.slice(4)));
  const known = runs(120, 0); // the newest page and two older ones
  assert.deepEqual(ids(merged(known, runs(150, 100), newerRun)), ids(runs(150, 0)));
  assert.deepEqual(ids(merged(known, runs(200, 150), newerRun)), ids(runs(200, 150)));
  assert.deepEqual(ids(merged(known, runs(20, 0), newerRun).filter(one => one.began_at < '1020')), ids(runs(20, 0)));
});

test('a page sees that it has not heard everything', () => {
  const told = (number: number, start = 'a') => ({ start, number });
  assert.equal(heard(null, told(7)), 'first');
  assert.equal(heard(told(7), told(8)), 'next');
  assert.equal(heard(told(7), told(7)), 'old');
  assert.equal(heard(told(7), told(9)), 'behind');
  assert.equal(heard(told(7), told(1, 'b')), 'behind'); // the server was started anew
});

test('a share is between 0 and 1, or unknown', () => {
  assert.deepEqual([share(3, 4), share(5, 4), share(1, null), share(0, 0)], [0.75, 1, null, null]);
});
