import type { ServiceManager } from '@jupyterlab/services';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';

import { BUILT_FROM } from './built';
import { heard, merged, newerJob, newerRun, PAGE, placed, readable } from './merging';
import { fields, text } from './reading';
import { readJob, readRun, readTold } from './shapes';
import type { IJob, IMlops, IRequest, ISlot, ISnapshots, ITold, Kept, Topic } from './tokens';

const SCHEMA = 'https://events.mlops-nb.org/changed/v1';
const TELL_MS = 100; // the page is told at most that often, however many events come
const LOOK_MS = 30_000; // between two looks whether all events were heard
const SOON_MS = 2_000; // until such a look after something was begun here
const ON_ITS_WAY_MS = 1_000; // that an event may take longer than an answer that counts it
const PATIENCE_MS = 200; // with a server that has just begun, until what an earlier one knew is shown
const DISMISSED = 'mlops-nb:dismissed:'; // + notebook -> when the newest work began that need not be shown
const TOPICS: Readonly<Record<string, Kept>> = { data: 'datasets', models: 'models', staging: 'deployments' };

type Slots = { [K in Topic]: ISlot<ISnapshots[K]> };
const EMPTY = { value: null, problem: '' };

/** What the server knows, kept up to date by its events; a slow poll notices events that were not heard. */
export class Model implements IMlops {
  readonly changed = new Signal<this, Topic>(this);
  readonly ended = new Signal<this, IJob>(this);

  constructor(
    readonly request: IRequest,
    private readonly _services: ServiceManager.IManager
  ) {
    _services.events.stream.connect((_, event) => this._hear(event));
    this._poll = new Poll({
      name: 'mlops-nb:model',
      factory: () => this._look(),
      frequency: { interval: LOOK_MS, backoff: true, max: 4 * LOOK_MS },
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
      const kept = Object.values(TOPICS).find(one => one === topic);
      if (kept) {
        window.setTimeout(() => void this._recall(kept), PATIENCE_MS);
      }
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

  async older(): Promise<boolean> {
    const last = this._slots.runs.value?.at(-1);
    const next = last ? await this.request.runs(last.id) : [];
    const { value, problem } = this._slots.runs;
    const known = new Set((value ?? []).map(run => run.id));
    this._set('runs', { value: [...(value ?? []), ...next.filter(run => !known.has(run.id))], problem });
    return next.length === PAGE;
  }

  put<K extends Topic>(topic: K, value: ISnapshots[K]): void {
    this._set(topic, { value, problem: '' });
  }

  async begin(verb: string, args: Readonly<Record<string, unknown>>, path?: string): Promise<IJob> {
    const said = this.announce(path, verb);
    try {
      const job = await this.request.begin(verb, args);
      this._began.add(job.id);
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

  began(job: IJob): boolean {
    return this._began.has(job.id);
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
    window.setTimeout(() => void this._poll.refresh(), SOON_MS);
  }

  workOf(path: string): IJob | null {
    const announced = this._announced.get(path);
    if (announced) {
      return announced;
    }
    const began = this._shown.get(path);
    const ours = (this._slots.jobs.value ?? []).find(job => job.id === began);
    const until = window.localStorage.getItem(DISMISSED + path) ?? '';
    return [ours, ...this.jobsOf(path)].find(job => job && (job.status === 'running' || job.began_at > until)) ?? null;
  }

  jobsOf(path: string): IJob[] {
    const served = this._services.contents.localPath(path); // without a drive such as `RTC:`
    return (this._slots.jobs.value ?? []).filter(job => text(job.arguments.notebook) === served);
  }

  dismiss(path: string): void {
    window.localStorage.setItem(DISMISSED + path, this.workOf(path)?.began_at ?? '');
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
      const { value, problem } = readable(topic, await asked[topic]());
      this._set(topic, { value: this._merged(topic, value), problem });
      if (topic === 'status') {
        this._compare(this._slots.status.value?.told);
      }
    } catch (problem) {
      const said = problem instanceof Error ? problem.message : String(problem);
      this._set(topic, { ...this._slots[topic], problem: said });
    }
  }

  /** Show what was known last while nothing else is. */
  private async _recall<K extends Kept>(topic: K): Promise<void> {
    const nothing = () => this._slots[topic].value === null;
    const kept = nothing() ? await this.request.kept(topic).catch(() => null) : null;
    if (kept && nothing()) {
      this._set(topic, { value: readable(topic, kept.value).value, problem: this._slots[topic].problem, asOf: kept.at });
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
    const told = readTold(said);
    const how = heard(this._last, told);
    if (how === 'behind') {
      this._catchUp();
    }
    this._last = how === 'old' ? this._last : told;
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

  /** Did the page hear all that the server has told? */
  private _compare(told: ITold | undefined): void {
    const how = told ? heard(this._last, told) : 'old';
    if (told && how === 'first') {
      this._last = told;
    } else if (told && how !== 'old') {
      window.setTimeout(() => {
        if (!['old', 'first'].includes(heard(this._last, told))) {
          this._last = told;
          this._catchUp();
        }
      }, ON_ITS_WAY_MS);
    }
  }

  /** Something was told and not heard: ask for all that is shown. */
  private _catchUp(): void {
    this._wanted.forEach(topic => this._heardOf(topic));
  }

  /** One look of the poll: whether all was heard, and what could not be answered the last time. */
  private async _look(): Promise<void> {
    await this.refresh('status');
    const { problem } = this._slots.status;
    if (problem) {
      throw new Error(problem); // the poll waits longer each time
    }
    const due = [...this._wanted].filter(topic => this._slots[topic].problem !== '');
    await Promise.all(due.map(topic => this.refresh(topic)));
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
  private readonly _began = new Set<string>();
  private readonly _shown = new Map<string, string>(); // notebook -> job
  private readonly _announced = new Map<string, IJob>(); // notebook -> what is being asked for
  private readonly _poll: Poll;
  private _last: ITold | null = null; // the event that was heard last
}
