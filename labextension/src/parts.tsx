import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { Id } from './commands/ids';
import type { IMlops, ISlot, ISnapshots, Topic } from './tokens';

/** What every view needs: what is known, and what can be done. */
export interface IEnv {
  readonly model: IMlops;
  readonly commands: CommandRegistry;
}

/** The last that is known of a topic; the view is drawn again when it changes. */
export function useSlot<K extends Topic>(model: IMlops, topic: K): ISlot<ISnapshots[K]> {
  React.useEffect(() => model.want(topic), [model, topic]);
  const subscribe = React.useCallback(
    (tell: () => void) => {
      const hear = (_: IMlops, changed: Topic) => void (changed === topic && tell());
      model.changed.connect(hear);
      return () => void model.changed.disconnect(hear);
    },
    [model, topic]
  );
  return React.useSyncExternalStore(subscribe, () => model.slot(topic));
}

/** A part that cannot be drawn says so; its neighbours stay. */
export class Guarded extends React.Component<{ of: string; children: React.ReactNode }, { problem: string }> {
  state = { problem: '' };

  static getDerivedStateFromError(problem: unknown): { problem: string } {
    return { problem: problem instanceof Error ? problem.message : String(problem) };
  }

  render(): React.ReactNode {
    return this.state.problem ? (
      <Problem text={`${this.props.of} cannot be shown (${this.state.problem}). Reload the page.`} />
    ) : (
      this.props.children
    );
  }
}

/** What went wrong: read aloud at once, unless it stands on record of what is past. */
export function Problem({ text, past }: { text: string; past?: boolean }): JSX.Element {
  return (
    <div className="mlops-Problem" role={past ? undefined : 'alert'}>
      {text}
    </div>
  );
}

/** What to do where there is nothing to see yet. */
export function Empty({ children }: { children: React.ReactNode }): JSX.Element {
  return <div className="mlops-Empty">{children}</div>;
}

/** Where most work begins. */
export function FromTemplate({ commands }: Pick<IEnv, 'commands'>): JSX.Element {
  return (
    <Act kind="main" onAct={() => commands.execute(Id.template)}>
      New notebook from a template …
    </Act>
  );
}

interface IActProps {
  readonly children: React.ReactNode;
  readonly onAct: () => unknown;
  /** What it is for, where the words on it do not say it alone. */
  readonly label?: string;
  readonly disabled?: boolean;
  readonly kind?: 'main' | 'plain' | 'link';
  readonly title?: string;
}

/** The part of the page that something stands in, to have the focus when it goes. */
export const around = (one: Element | null): HTMLElement | null => one?.closest<HTMLElement>('[role=region][tabindex]') ?? null;

/** A button that can be pressed once at a time, and shows that it works. */
export function Act({ children, onAct, label, disabled, kind = 'plain', title }: IActProps): JSX.Element {
  const [busy, setBusy] = React.useState(false);
  const here = React.useRef(true);
  const button = React.useRef<HTMLButtonElement>(null);
  React.useLayoutEffect(() => {
    here.current = true;
    const own = button.current;
    return () => {
      here.current = false;
      if (own && own === document.activeElement) {
        around(own)?.focus(); // keys go on from where it was
      }
    };
  }, []);
  const press = async () => {
    if (busy) {
      return;
    }
    setBusy(true);
    try {
      await onAct();
    } finally {
      if (here.current) {
        setBusy(false);
      }
    }
  };
  return (
    <button
      ref={button}
      type="button"
      className={`mlops-Act mlops-mod-${kind}`}
      aria-label={label}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined} // truly disabled it would lose the focus, and its keys with it
      disabled={disabled}
      title={title}
      onClick={() => void press()}
    >
      {children}
    </button>
  );
}

const TONES: Readonly<Record<string, string>> = {
  running: 'busy',
  ran: 'good',
  done: 'good',
  cached: 'good',
  pass: 'good',
  approved: 'good',
  ready: 'good',
  ok: 'good',
  failed: 'bad',
  fail: 'bad',
  rejected: 'bad',
  error: 'bad',
  down: 'bad',
  page: 'bad',
  stopped: 'warn',
  warning: 'warn',
  ticket: 'warn',
  not_enough_evidence: 'warn',
  starting: 'warn'
};

/** A state in a word; the colour only repeats it. */
export function Badge({ says }: { says: string }): JSX.Element {
  return <span className={`mlops-Badge mlops-mod-${TONES[says] ?? 'plain'}`}>{says.replace(/_/g, ' ')}</span>;
}

interface IProgressProps {
  readonly of: string;
  readonly done: number;
  readonly total: number | null;
}

/** How far something is, for eyes and for screen readers. */
export function Progress({ of, done, total }: IProgressProps): JSX.Element {
  const known = total !== null && total > 0;
  return (
    <div
      className={`mlops-Progress${known ? '' : ' mlops-mod-unknown'}`}
      role="progressbar"
      aria-label={of}
      {...(known ? { 'aria-valuemin': 0, 'aria-valuemax': total, 'aria-valuenow': Math.min(done, total) } : {})}
    >
      <div style={known ? { width: `${Math.min(100, (100 * done) / total)}%` } : undefined} />
    </div>
  );
}

const TICK_MS = 5_000;
const tellers = new Set<() => void>();
let clock = 0;

function onTick(tell: () => void): () => void {
  tellers.add(tell);
  clock ||= window.setInterval(() => tellers.forEach(one => one()), TICK_MS);
  return () => {
    tellers.delete(tell);
    if (tellers.size === 0) {
      window.clearInterval(clock);
      clock = 0;
    }
  };
}

/** A point in time as a person says it, also later; the exact one on demand. */
export function When({ at }: { at: string }): JSX.Element {
  const said = React.useSyncExternalStore(onTick, () => ago(at, Date.now()));
  return (
    <time dateTime={at} title={at}>
      {said}
    </time>
  );
}

/** `3 min ago`; '' for what is no time. */
export function ago(at: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(at)) / 1000;
  if (Number.isNaN(seconds)) {
    return '';
  }
  const steps: [number, string][] = [
    [60, 's'],
    [3600, 'min'],
    [86400, 'h'],
    [Infinity, 'd']
  ];
  const at_ = steps.findIndex(([below]) => seconds < below);
  const unit = at_ > 0 ? (steps[at_ - 1]?.[0] ?? 1) : 1;
  const size = Math.floor(seconds / unit);
  return size <= 0 ? 'now' : `${size} ${steps[at_]?.[1] ?? ''} ago`;
}

/** `1 error`, `2 errors`. */
export const counted = (n: number, of: string): string => `${n} ${of}${n === 1 ? '' : of.endsWith('ch') ? 'es' : 's'}`;

/** `bundle:6b7bb792a136` of a whole id; names stay as they are. */
export function short(id: string): string {
  const found = /^([a-z]+):([0-9a-f]{12})[0-9a-f]+$/.exec(id);
  return found ? `${found[1]}:${found[2]}` : id;
}

/** The line above a section: a lost connection, or a look that goes on. */
export function Standing({ slot, of }: { slot: ISlot<unknown>; of: string }): JSX.Element | null {
  if (slot.problem) {
    return <Problem text={slot.problem} />;
  }
  if (slot.asOf) {
    return (
      <p className="mlops-Dim" role="status">
        As it was <When at={slot.asOf} />; looking again …
      </p>
    );
  }
  return slot.value === null ? <Empty>Looking at the {of} …</Empty> : null;
}

/** Something that opens and closes: the browser's own, so keys and screen readers know it. */
export function Fold(props: {
  summary: React.ReactNode;
  children: () => React.ReactNode;
  open?: boolean;
  testid?: string;
}): JSX.Element {
  const [open, setOpen] = React.useState(props.open ?? false);
  return (
    <details
      className="mlops-Fold"
      open={open}
      data-testid={props.testid}
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>{props.summary}</summary>
      {open && <div className="mlops-Fold-body">{props.children()}</div>}
    </details>
  );
}
