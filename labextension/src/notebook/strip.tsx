import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { bundlesIn } from '../commands/asking';
import { Id } from '../commands/ids';
import { subjectOf } from '../commands/runs';
import { Act, Badge, Problem, Progress, useSlot, When, type IEnv } from '../parts';
import type { IJob, IRunState, IStepState } from '../tokens';

const PADDING_PX = 4; // as the style sheet says

interface IStripProps extends IEnv {
  readonly path: () => string;
}

/** What goes on for the notebook below: where the person is looking, spoken politely. */
export class Strip extends ReactWidget {
  constructor(private readonly _props: IStripProps) {
    super();
    this.addClass('mlops-Strip');
    this._props.model.changed.connect(this._fit, this);
    this._fit();
  }

  dispose(): void {
    this._grown.disconnect();
    this._props.model.changed.disconnect(this._fit, this);
    super.dispose();
  }

  render(): JSX.Element {
    return (
      <div ref={this._observe}>
        <Work {...this._props} />
      </div>
    );
  }

  /** The box around it gives a widget the height it insists on, so it insists on that of its content. */
  private readonly _observe = (content: HTMLDivElement | null) => {
    this._grown.disconnect();
    if (content) {
      this._grown.observe(content);
    }
  };

  private readonly _grown = new ResizeObserver(entries => {
    const height = entries[0]?.contentRect.height ?? 0;
    this.node.style.minHeight = `${Math.ceil(height) + 2 * PADDING_PX + 1}px`;
    this.parent?.fit();
  });

  /** It takes no room while there is nothing to say. */
  private _fit(): void {
    this.setHidden(this._props.model.workOf(this._props.path()) === null);
    this.update();
  }
}

function Work({ model, commands, path }: IStripProps): JSX.Element | null {
  useSlot(model, 'jobs');
  const runs = useSlot(model, 'runs').value ?? [];
  const me = useSlot(model, 'status').value?.actor ?? '';
  const job = model.workOf(path());
  if (!job) {
    return null;
  }
  const run = runs.find(one => one.id === job.run);
  const ran = model.jobsOf(path()).find(one => one.run !== ''); // also while something else is done with it
  const going = job.status === 'running';
  const name = `${job.verb} ${subjectOf(job)}`;
  const { done, total } = shareOf(job, run);
  return (
    <div data-testid="mlops-strip" role="group" aria-label={`Progress of ${name}`}>
      <div className="mlops-Strip-line">
        <strong>{name}</strong>
        <Badge says={job.status} />
        <span className="mlops-Dim">
          {job.by !== '' && job.by !== me && `${job.by} `}
          {!going && <When at={job.ended_at} />}
        </span>
        <span className="mlops-Strip-said" role="status" aria-live="polite">
          {saidOf(job, run)}
        </span>
        {going && <Progress of={name} done={done} total={total} />}
        <Next {...{ model, commands, job, run, path }} page={run ?? runs.find(one => one.id === ran?.run)} />
      </div>
      {job.error && <Problem text={job.error} />}
    </div>
  );
}

interface INextProps extends IStripProps {
  readonly job: IJob;
  readonly run: IRunState | undefined;
  /** The run whose page and log can be looked at. */
  readonly page: IRunState | undefined;
}

function Next({ model, commands, job, run, path, page }: INextProps): JSX.Element {
  const going = job.status === 'running';
  const steps = run?.steps ?? [];
  const executed = page?.steps.filter(step => step.notebook).pop();
  const bundle = steps.flatMap(step => bundlesIn(step.outputs))[0];
  const broken = run && !going && ['failed', 'stopped'].includes(run.status);
  return (
    <span className="mlops-Acts">
      {going && job.id !== '' && (
        <Act
          onAct={() =>
            run ? commands.execute(Id.cancelRun, { id: run.id }) : commands.execute(Id.stopJob, { id: job.id })
          }
        >
          Stop
        </Act>
      )}
      {broken && (
        <Act kind="main" onAct={() => commands.execute(Id.resumeRun, { id: run.id, notebook: path() })}>
          Resume
        </Act>
      )}
      {bundle && !going && (
        <Act kind="main" onAct={() => commands.execute(Id.register, { bundle })}>
          Register
        </Act>
      )}
      {job.verb === 'validate' && !going && (
        <Act onAct={() => commands.execute(Id.panel, { section: 'data' })}>Findings</Act>
      )}
      {page && executed && (
        <Act onAct={() => commands.execute(Id.openNotebook, { path: executed.notebook, id: page.id, step: executed.name })}>
          Executed notebook
        </Act>
      )}
      {page && <Act onAct={() => commands.execute(Id.panel, { section: 'runs', id: page.id, log: true })}>Log</Act>}
      {!going && (
        <Act label="Close this line" onAct={() => model.dismiss(path())}>
          ✕
        </Act>
      )}
    </span>
  );
}

/** Cells of the steps where they are known, else what the job counts. */
function shareOf(job: IJob, run: IRunState | undefined): { done: number; total: number | null } {
  const step = run?.steps.find(one => one.status === 'running');
  return step && step.of > 0 ? { done: step.cells, total: step.of } : { done: job.done, total: job.total };
}

function saidOf(job: IJob, run: IRunState | undefined): string {
  if (job.error) {
    return ''; // the error says it all
  }
  if (job.status === 'stopped') {
    return `by ${job.stopped_by}${run ? '; Resume goes on from there' : ''}`;
  }
  const step = run?.steps.find(one => one.status === 'running');
  if (job.status === 'running' && run?.steps.every(one => one.status === 'ran' || one.status === 'cached')) {
    return 'puts on record what came of it';
  }
  if (job.status === 'running' && step && step.of > 0) {
    return `${step.name}: cell ${Math.min(step.cells + 1, step.of)} of ${step.of}`;
  }
  if (job.status === 'done' && run) {
    const seconds = run.steps.reduce((sum, one) => sum + one.seconds, 0);
    return [`${seconds.toFixed(1)} s`, ...run.steps.flatMap(one => numbersOf(one.outputs))].join(' · ');
  }
  const share = job.status === 'running' && job.total ? `, ${job.done} of ${job.total}` : '';
  return job.said ? `${job.said}${share}` : share.slice(2);
}

/** What a step measured, such as `val_accuracy 0.87`. */
function numbersOf(outputs: IStepState['outputs']): string[] {
  return Object.entries(outputs)
    .filter((one): one is [string, number] => typeof one[1] === 'number')
    .slice(0, 4)
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toPrecision(3)}`);
}
