import type { IJob, IRunState, ITold } from './tokens';

/** Whether `next` tells more than `known`: events and snapshots may cross on their way. */
export function newerRun(known: IRunState | undefined, next: IRunState): boolean {
  return known === undefined || next.lines >= known.lines;
}

const rank = (job: IJob) => (job.status === 'running' ? 0 : 1);

/** A job that ended never goes on, and its work only grows. */
export function newerJob(known: IJob | undefined, next: IJob): boolean {
  if (known === undefined || rank(next) !== rank(known)) {
    return known === undefined || rank(next) > rank(known);
  }
  return next.run !== known.run ? next.run !== '' : next.total !== known.total || next.done >= known.done;
}

/** Lists, newest first, with one entry replaced or added. */
export function placed<T extends { readonly id: string; readonly began_at: string }>(
  known: readonly T[],
  next: T,
  newer: (known: T | undefined, next: T) => boolean
): readonly T[] {
  const before = known.find(one => one.id === next.id);
  if (!newer(before, next)) {
    return known;
  }
  if (before) {
    return known.map(one => (one === before ? next : one));
  }
  return [next, ...known].sort((a, b) => b.began_at.localeCompare(a.began_at));
}

export const PAGE = 50; // of the newest, in an answer of the server

/**
 * A snapshot, in which what is known better from events is kept, and what began after it was taken; and what is older
 * than all of it, where nothing can be missing in between.
 */
export function merged<T extends { readonly id: string; readonly began_at: string }>(
  known: readonly T[],
  snapshot: readonly T[],
  newer: (known: T | undefined, next: T) => boolean
): readonly T[] {
  const before = new Map(known.map(one => [one.id, one]));
  const kept = snapshot.map(next => {
    const old = before.get(next.id);
    before.delete(next.id);
    return old !== undefined && !newer(old, next) ? old : next;
  });
  const [newest, oldest] = [snapshot[0]?.began_at ?? '', snapshot[snapshot.length - 1]?.began_at ?? ''];
  const joined = snapshot.length >= PAGE && before.size < known.length;
  const rest = [...before.values()];
  return [
    ...rest.filter(one => one.began_at > newest),
    ...kept,
    ...rest.filter(one => joined && one.began_at < oldest)
  ];
}

/** How the page stands to the events of the server: `behind` where some were not heard. */
export function heard(known: ITold | null, next: ITold): 'first' | 'next' | 'old' | 'behind' {
  if (known === null) {
    return 'first';
  }
  if (next.start !== known.start) {
    return 'behind'; // another start of the server counts anew
  }
  return next.number <= known.number ? 'old' : next.number === known.number + 1 ? 'next' : 'behind';
}

/** What has a name can be shown; of the rest it is said that it is left out. */
export function readable<T>(topic: string, value: T): { readonly value: T; readonly problem: string } {
  if (!Array.isArray(value)) {
    return { value, problem: '' };
  }
  const known = value.filter((one: { id?: string; name?: string }) => (one.id ?? one.name) !== '');
  const unread = value.length - known.length;
  const problem = unread
    ? `${unread} of ${value.length} ${topic} cannot be read and ${unread === 1 ? 'is' : 'are'} left out. ` +
      'Reload the page; if this stays, install mlops_nb again and restart JupyterLab.'
    : '';
  return { value: known as T, problem };
}

/** What a job or a run says of its share, in [0, 1]; null where it is not known. */
export function share(done: number, total: number | null): number | null {
  return total ? Math.min(1, done / total) : null;
}
