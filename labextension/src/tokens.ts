import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

/** What the server works on; mirrors GET status. */
export interface IStatus {
  readonly version: string;
  /** Hash of the front end's sources that came with the server; '' if it has none. */
  readonly build: string;
  /** Its path; '' while there is none. */
  readonly workspace: string;
  readonly actor: string;
  readonly running: number;
  /** Open alerts; null while the server does not know yet. */
  readonly alerts: number | null;
  readonly devices: readonly IDevice[];
  readonly told: ITold;
}

/** How many events the server has told since it started; each event has its own number. */
export interface ITold {
  readonly start: string;
  readonly number: number;
}

export interface IDevice {
  readonly id: string;
  readonly label: string;
}

export interface IStepState {
  readonly name: string;
  readonly status: string;
  readonly cells: number;
  readonly of: number;
  readonly seconds: number;
  readonly tries: number;
  readonly error: string;
  /** The executed notebook: relative to what is served, absolute if outside, '' if none. */
  readonly notebook: string;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** A run of steps; mirrors `RunState` of the server. */
export interface IRunState {
  readonly id: string;
  readonly status: string;
  readonly by: string;
  readonly kind: string;
  readonly parent: string;
  readonly began_at: string;
  readonly ended_at: string;
  readonly stop_by: string;
  readonly steps: readonly IStepState[];
  /** Lines of its event log: a state with fewer is older. */
  readonly lines: number;
}

/** Long work in a process of its own; mirrors `Job` of the jobs notebook. */
export interface IJob {
  readonly id: string;
  readonly verb: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly by: string;
  readonly status: string;
  readonly began_at: string;
  readonly ended_at: string;
  readonly done: number;
  readonly total: number | null;
  readonly said: string;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly error: string;
  readonly run: string;
  readonly stopped_by: string;
}

export interface IVersion {
  readonly version: number;
  readonly ref: string;
  readonly tags: readonly string[];
  readonly at: string;
  readonly by: string;
  readonly samples: number;
}

export interface IFinding {
  readonly check: string;
  readonly severity: string;
  readonly count: number;
  readonly sentence: string;
}

export interface IDataset {
  readonly name: string;
  readonly samples: number;
  readonly version: number;
  readonly digest: string;
  readonly tags: readonly string[];
  readonly branches: readonly { readonly name: string; readonly version: number }[];
  readonly versions: readonly IVersion[];
  /** What the newest check found; of an older version, perhaps. */
  readonly checked: {
    readonly version: number;
    readonly at: string;
    readonly errors: number;
    readonly warnings: number;
  } | null;
  readonly findings: readonly IFinding[];
  readonly quarantined: number;
  readonly contract: boolean;
}

/** What it takes to come from one version to another. */
export interface IDifference {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly fields: readonly { readonly field: string; readonly count: number }[];
}

export interface IQuarantined {
  readonly id: string;
  readonly sample_id: string;
  /** The file it came from. */
  readonly source: string;
  readonly check: string;
  readonly reason: string;
  readonly at: string;
}

/** A verdict on one candidate; mirrors `Decision` of the evaluate notebook. */
export interface IDecision {
  readonly verdict: string;
  readonly reasons: readonly string[];
  readonly report: string;
  /** The step that made the report; '' where none is on record. */
  readonly run: string;
  readonly step: string;
}

export interface IProposal {
  readonly id: string;
  readonly status: string;
  readonly by: string;
  readonly summary: string;
  readonly at: string;
  readonly approved_by: string;
}

export interface IModelVersion {
  readonly version: number;
  readonly bundle: string;
  readonly aliases: readonly string[];
  readonly by: string;
  readonly at: string;
  readonly run: string;
  readonly data: string;
  readonly decision: IDecision | null;
  readonly proposals: readonly IProposal[];
}

export interface IModel {
  readonly name: string;
  readonly versions: readonly IModelVersion[];
  readonly staging: number | null;
  readonly production: number | null;
  /** What each alias would mean after a roll back; null where there is nothing to return to. */
  readonly returns: { readonly staging: number | null; readonly production: number | null };
}

/** How sure the monitor is, window by window, that the world has changed. */
export interface IShift {
  readonly frames: number;
  readonly clips: number;
  readonly windows: readonly IShiftWindow[];
  readonly reference: string;
}

export interface IShiftWindow {
  readonly frame: number;
  readonly evidence: number;
  readonly threshold: number;
}

export interface IAlert {
  readonly id: string;
  readonly level: string;
  readonly at: string;
  readonly sentence: string;
  readonly at_frame: number | null;
  readonly acknowledged_by: string;
  readonly comment: string;
}

export interface IDeployment {
  readonly name: string;
  readonly url: string;
  readonly bundle: string;
  readonly model: string;
  readonly alive: boolean;
  readonly ready: boolean;
  readonly started_at: string;
  readonly requests: number;
  readonly latency_ms: { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };
  readonly shift: IShift | null;
  readonly alerts: readonly IAlert[];
}

export interface IClassified {
  readonly image: string;
  readonly image_id: string;
  readonly label: string;
  readonly score: number;
  readonly confident: boolean;
  readonly latency_ms: number;
}

/** Who did what when. */
export interface IDeed {
  readonly at: string;
  readonly by: string;
  readonly verb: string;
}

export interface ILineageNode {
  readonly id: string;
  readonly kind: string;
  readonly label: string;
  /** 0 is what was asked about; negative: it came from these; positive: it led to these. */
  readonly layer: number;
  readonly made: readonly IDeed[];
  /** What people did with it that made nothing new: an approval, a promotion; and what they said. */
  readonly done: readonly (IDeed & { readonly said: string })[];
  readonly opens: { readonly type: string; readonly target: string; readonly step: string };
}

export interface ILineageEdge extends IDeed {
  readonly source: string;
  readonly target: string;
}

export interface ILineage {
  readonly root: string;
  readonly nodes: readonly ILineageNode[];
  readonly edges: readonly ILineageEdge[];
}

export interface ITemplate {
  readonly name: string;
  readonly title: string;
  readonly about: string;
}

/** What a notebook takes: a JSON Schema of its parameters; mirrors GET schema. */
export interface INotebookSchema {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly dataset: string;
}

/** What the server is asked for as a whole and tells the changes of. */
export interface ISnapshots {
  status: IStatus;
  runs: readonly IRunState[];
  jobs: readonly IJob[];
  datasets: readonly IDataset[];
  models: readonly IModel[];
  deployments: readonly IDeployment[];
}

export type Topic = keyof ISnapshots;

/** Topics whose last answer the server keeps for the next start. */
export type Kept = 'datasets' | 'models' | 'deployments';

/** The last that is known of a topic; a new object whenever anything of it changes. */
export interface ISlot<T> {
  readonly value: T | null;
  /** Why the last question failed; '' if it did not. */
  readonly problem: string;
  /** When the value was known, where it is what an earlier server knew and the answer of this one is awaited. */
  readonly asOf?: string;
}

/** What all parts of the extension share: what is known, and how to ask for more. */
export interface IMlops {
  readonly changed: ISignal<IMlops, Topic>;
  /** A job that was seen running has ended. */
  readonly ended: ISignal<IMlops, IJob>;
  readonly request: IRequest;
  slot<K extends Topic>(topic: K): ISlot<ISnapshots[K]>;
  /** Ask for a topic now and whenever it changes, until the page is closed. */
  want(topic: Topic): void;
  refresh(topic: Topic): Promise<void>;
  /** Ask for runs older than those known; may there be more? */
  older(): Promise<boolean>;
  /** Take over an answer that holds a whole topic, such as the models after an approval. */
  put<K extends Topic>(topic: K, value: ISnapshots[K]): void;
  /** Was this work begun by this page, and not by a cell or another tab? */
  began(job: IJob): boolean;
  /** Begin long work; the path says in whose notebook its progress is shown. */
  begin(verb: string, args: Readonly<Record<string, unknown>>, path?: string): Promise<IJob>;
  /** Show at once that something is about to begin in a notebook; until what is returned is called. */
  announce(path: string | undefined, verb: string): () => void;
  /** Jobs that ran a notebook, newest first; its path as JupyterLab says it. */
  jobsOf(path: string): IJob[];
  /** The newest work that belongs to a notebook and was not dismissed. */
  workOf(path: string): IJob | null;
  /** No longer show that work in its notebook. */
  dismiss(path: string): void;
  /** Set where server and page are not of one build: what to do about it. */
  readonly mismatch: string;
}

/** Every question that can be put to the server. */
export interface IRequest {
  status(): Promise<IStatus>;
  /** The newest runs; or those that began before one of them. */
  runs(before?: string): Promise<IRunState[]>;
  log(run: string, step: string): Promise<string>;
  /** A notebook as executed, as one HTML page. */
  page(run: string, step: string): Promise<string>;
  cancel(run: string): Promise<void>;
  jobs(): Promise<IJob[]>;
  begin(verb: string, args: Readonly<Record<string, unknown>>): Promise<IJob>;
  jobLog(id: string): Promise<string>;
  stopJob(id: string): Promise<void>;
  /** A list as it was answered last, perhaps by an earlier server. */
  kept<K extends Kept>(of: K): Promise<{ at: string; value: ISnapshots[K] } | null>;
  datasets(): Promise<IDataset[]>;
  quarantine(name: string): Promise<IQuarantined[]>;
  release(name: string, quarantineId: string, reason: string): Promise<void>;
  tag(ref: string, tag: string): Promise<void>;
  fork(ref: string, branch: string): Promise<void>;
  difference(before: string, after: string): Promise<IDifference>;
  models(): Promise<IModel[]>;
  propose(bundle: string, baseline: string, summary: string): Promise<IModel[]>;
  judge(verdict: 'approve' | 'reject', proposal: string, comment: string): Promise<IModel[]>;
  promote(name: string, version: number, alias: string, proposal: string): Promise<IModel[]>;
  rollback(name: string, alias: string): Promise<IModel[]>;
  deployments(): Promise<IDeployment[]>;
  stopDeployment(name: string): Promise<IDeployment[]>;
  check(name: string): Promise<IDeployment[]>;
  acknowledge(id: string, comment: string): Promise<IDeployment[]>;
  classify(name: string, images: readonly { name: string; base64: string }[]): Promise<IClassified[]>;
  /** Does a page of this server answer? */
  answers(url: string): Promise<boolean>;
  lineage(of: string): Promise<ILineage>;
  /** What a person reads of a blob, a commit, a prediction, a run; the picture is a data URL, or ''. */
  text(id: string): Promise<{ text: string; whole: boolean; picture: string }>;
  schema(notebook: string): Promise<INotebookSchema>;
  templates(): Promise<ITemplate[]>;
  copyTemplate(name: string, path: string): Promise<string>;
}

/** The token over which the plugins of this extension meet. */
export const IMlops = new Token<IMlops>('mlops-nb:IMlops', 'What the server of mlops_nb knows, kept up to date.');
