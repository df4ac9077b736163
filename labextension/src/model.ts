import type { ServiceManager } from '@jupyterlab/services';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';

import { BUILT_FROM } from './built';
import { merged, newerJob, newerRun, placed, sameNotebook } from './merging';
import { fields, text } from './reading';
import { readJob, readRun } from './shapes';
import type { IJob, IMlops, IRequest, ISlot, ISnapshots, Topic } from './tokens';

const SCHEMA = 'https://events.mlops-nb.org/changed/v1';
const TELL_MS = 100; // the page is told at most that often, however many events come
const CALM_MS = 30_000; // between two looks while events arrive, or nothing goes on
const SILENT_MS = 2_000; // ... while something goes on and no event tells of it
const TOPICS: Readonly<Record<string, Topic>> = { data: 'datasets', models: 'models', staging: 'deployments' };

type Slots = { [K in Topic]: ISlot<ISnapshots[K]> };
const EMPTY = { value: null, problem: '' };

/** What the server knows, kept up to date by its events; a slow poll notices a connection that was lost. */
export class Model implements IMlops {
  readonly changed = new Signal<this, Topic>(this);
  readonly ended = new Signal<this, IJob>(this);

  constructor(
    readonly request: IRequest,
    services: ServiceManager.IManager
  ) {
    services.events.stream.connect((_, event) => this._hear(event));
    this._poll = new Poll({
      name: 'mlops-nb:model',
      factory: () => this._look(),
      frequency: { interval: CALM_MS, backoff: true, max: 4 * CALM_MS },
      standby: 'when-hidden'
    });
    // The poll asks for one after the other; the first look asks for all at once.
    this._wanted.forEach(topic => void this.refresh(topic));
  }

  slot<K extends Topic>(topic: K): ISlot<ISnapshots[K]> {
    return this._slots[topic];
  }

  want(topic: Topic): void {
    if (!this._wanted.has(topic)) {
      this._wanted.add(topic);
      void this.refresh(topic);
    }
  }

  /** Ask once; whoever asks meanwhile gets the answer to one more question, begun after the first is answered. */
  refresh(topic: Topic): Promise<void> {
    const going = this._asking.get(topic);
    if (going) {
      going.again ??= going.done.then(() => this.refresh(topic));
      return going.again;
    }
    const asking: { done: Promise<void>; again?: Promise<void> } = { done: Promise.resolve() };
    asking.done = this._ask(topic).finally(() => this._asking.delete(topic));
    this._asking.set(topic, asking);
    return asking.done;
  }

  put<K extends Topic>(topic: K, value: ISnapshots[K]): void {
    this._set(topic, { value, problem: '' });
  }

  async begin(verb: string, args: Readonly<Record<string, unknown>>, path?: string): Promise<IJob> {
    const said = this.announce(path, verb);
    try {
      const job = await this.request.begin(verb, args);
      if (path) {
        this._shown.set(path, job.id);
      }
      this._heardJob(job);
      this._soon();
      return job;
    } finally {
      said();
    }
  }

  announce(path: string | undefined, verb: string): () => void {
    if (path === undefined) {
      return () => undefined;
    }
    const job = readJob({ verb, status: 'running', said: 'asking the server …' });
    this._announced.set(path, job);
    this._tell('jobs');
    return () => {
      if (this._announced.get(path) === job) {
        this._announced.delete(path);
        this._tell('jobs');
      }
    };
  }

  /** Look whether events tell of what was begun. */
  private _soon(): void {
    window.setTimeout(() => void this._poll.refresh(), SILENT_MS);
  }

  workOf(path: string): IJob | null {
    const announced = this._announced.get(path);
    if (announced) {
      return announced;
    }
    const shown = this._shown.get(path);
    const jobs = this._slots.jobs.value ?? [];
    const ours = jobs.find(job => job.id === shown);
    const going = jobs.find(job => job.status === 'running' && sameNotebook(text(job.arguments.notebook), path));
    return shown === '' ? (going ?? null) : (ours ?? going ?? null);
  }

  dismiss(path: string): void {
    this._shown.set(path, '');
    this._tell('jobs');
  }

  get mismatch(): string {
    const built = this._slots.status.value?.build ?? '';
    if (built === '' || built === BUILT_FROM) {
      return '';
    }
    return (
      `This page was built from ${BUILT_FROM}, its server from ${built}. ` +
      'Reload the page; if this stays, install mlops_nb again and restart JupyterLab.'
    );
  }

  private async _ask<K extends Topic>(topic: K): Promise<void> {
    const asked: { [T in Topic]: () => Promise<ISnapshots[T]> } = this.request;
    try {
      const value = await asked[topic]();
      this._set(topic, { value: this._merged(topic, value), problem: '' });
    } catch (problem) {
      const said = problem instanceof Error ? problem.message : String(problem);
      this._set(topic, { value: this._slots[topic].value, problem: said });
    }
  }

  private _merged<K extends Topic>(topic: K, value: ISnapshots[K]): ISnapshots[K];
  private _merged(topic: Topic, value: ISnapshots[Topic]): ISnapshots[Topic] {
    if (topic === 'runs') {
      return merged(this._slots.runs.value ?? [], value as ISnapshots['runs'], newerRun);
    }
    if (topic === 'jobs') {
      const before = this._slots.jobs.value ?? [];
      const after = merged(before, value as ISnapshots['jobs'], newerJob);
      after.forEach(job => this._endIfEnded(before.find(one => one.id === job.id), job));
      return after;
    }
    return value;
  }

  private _set<K extends Topic>(topic: K, slot: ISlot<ISnapshots[K]>): void {
    (this._slots as { [T in K]: ISlot<ISnapshots[T]> })[topic] = slot;
    this._tell(topic);
  }

  /** Say that a topic changed: at once if the last time was long ago, else when it is. */
  private _tell(topic: Topic): void {
    if (this._told.has(topic)) {
      this._told.set(topic, true);
      return;
    }
    this._told.set(topic, false);
    window.setTimeout(() => {
      const more = this._told.get(topic);
      this._told.delete(topic);
      if (more) {
        this._tell(topic);
      }
    }, TELL_MS);
    this.changed.emit(topic);
  }

  private _hear(event: unknown): void {
    const said = fields(event);
    if (said.schema_id !== SCHEMA) {
      return;
    }
    this._heardAt = Date.now();
    const topic = text(said.topic);
    if (topic === 'job') {
      this._heardJob(readJob(fields(said.state)));
    } else if (topic === 'run') {
      const run = readRun(fields(said.state));
      const { value, problem } = this._slots.runs;
      this._set('runs', { value: placed(value ?? [], run, newerRun), problem });
    } else if (TOPICS[topic]) {
      this._heardOf(TOPICS[topic]);
      this._heardOf('status'); // it counts the alerts
    }
  }

  private _heardJob(job: IJob): void {
    const { value, problem } = this._slots.jobs;
    const before = (value ?? []).find(one => one.id === job.id);
    const after = placed(value ?? [], job, newerJob);
    if (after !== value) {
      this._set('jobs', { value: after, problem });
      this._endIfEnded(before, job);
    }
  }

  private _endIfEnded(before: IJob | undefined, after: IJob): void {
    if (before?.status === 'running' && after.status !== 'running') {
      this.ended.emit(after);
      this._heardOf('status');
    }
  }

  /** Something of it changed; ask again soon, once for many such words. */
  private _heardOf(topic: Topic): void {
    if ((this._wanted.has(topic) || topic === 'status') && !this._due.has(topic)) {
      this._due.add(topic);
      window.setTimeout(() => {
        this._due.delete(topic);
        void this.refresh(topic);
      }, TELL_MS);
    }
  }

  private get _busy(): boolean {
    const going = (one: { readonly status: string }) => one.status === 'running';
    return (this._slots.jobs.value ?? []).some(going) || (this._slots.runs.value ?? []).some(going);
  }

  /** One look of the poll: the state of the server, and all else if it was away or is silent. */
  private async _look(): Promise<void> {
    await this.refresh('status');
    const lost = this._slots.status.problem !== '';
    const silent = this._busy && Date.now() - this._heardAt > SILENT_MS;
    if (!lost) {
      const known = [...this._wanted].filter(topic => topic !== 'status');
      const now = (topic: Topic) => topic === 'jobs' || topic === 'runs';
      const due = known.filter(
        topic => this._lost || this._slots[topic].problem !== '' || (now(topic) && silent)
      );
      await Promise.all(due.map(topic => this.refresh(topic)));
    }
    this._lost = lost;
    const interval = silent ? SILENT_MS : CALM_MS;
    if (interval !== this._poll.frequency.interval) {
      this._poll.frequency = { ...this._poll.frequency, interval };
    }
    if (lost) {
      throw new Error(this._slots.status.problem); // the poll waits longer each time
    }
  }

  private readonly _slots: Slots = {
    status: EMPTY,
    runs: EMPTY,
    jobs: EMPTY,
    datasets: EMPTY,
    models: EMPTY,
    deployments: EMPTY
  };
  private readonly _wanted = new Set<Topic>(['status', 'jobs', 'runs']);
  private readonly _asking = new Map<Topic, { done: Promise<void>; again?: Promise<void> }>();
  private readonly _told = new Map<Topic, boolean>();
  private readonly _due = new Set<Topic>();
  private readonly _shown = new Map<string, string>(); // notebook -> job
  private readonly _announced = new Map<string, IJob>(); // notebook -> what is being asked for
  private readonly _poll: Poll;
  private _heardAt = 0;
  private _lost = false;
}
