import * as React from 'react';

import { Id } from '../commands/ids';
import { subjectOf } from '../commands/runs';
import { Act, Badge, counted, Empty, Fold, FromTemplate, Guarded, Problem, Progress, Standing, useSlot, When, type IEnv } from '../parts';
import { attempt, bundlesIn } from '../commands/asking';
import { PAGE } from '../merging';
import { text } from '../reading';
import type { IJob, IRunState, IStepState } from '../tokens';
import { Log } from './log';

/** Long work and runs, newest first; a job that runs steps is shown as its run. */
export function RunsSection(env: IEnv): JSX.Element {
  const runs = useSlot(env.model, 'runs');
  const jobs = useSlot(env.model, 'jobs');
  const known = new Set((runs.value ?? []).map(run => run.id));
  const alone = (jobs.value ?? []).filter(job => !known.has(job.run));
  const all = [...(runs.value ?? []), ...alone].sort((a, b) => b.began_at.localeCompare(a.began_at));
  const going = all.filter(one => one.status === 'running');
  return (
    <>
      <Standing slot={runs.problem ? runs : jobs} of="runs" />
      <p className="mlops-Hidden" role="status">
        {going.length ? `${going.length} running` : 'Nothing runs.'}
      </p>
      {runs.value && jobs.value && all.length === 0 && (
        <Empty>
          Nothing has run yet. Open a template from the launcher, set its parameters and press <b>Run as step</b> in its
          toolbar. <FromTemplate commands={env.commands} />
        </Empty>
      )}
      {all.map((one, at) => (
        <Guarded key={one.id} of={one.id}>
          {'steps' in one ? (
            <RunCard {...env} run={one} newest={at === 0} job={(jobs.value ?? []).find(job => job.run === one.id)} />
          ) : (
            <JobCard {...env} job={one} />
          )}
        </Guarded>
      ))}
      {known.size >= PAGE && <Older {...env} />}
    </>
  );
}

/** Runs before those shown: a page at a time, for who asks. */
function Older({ model }: IEnv): JSX.Element {
  const [first, setFirst] = React.useState(''); // the oldest there is
  const oldest = () => model.slot('runs').value?.at(-1)?.id ?? '';
  const ask = () => attempt(async () => (await model.older()) || setFirst(oldest()));
  return first === oldest() ? (
    <p className="mlops-Dim">There are no older runs.</p>
  ) : (
    <Act onAct={ask}>Older runs</Act>
  );
}

const hex8 = (id: string) => id.replace(/^[a-z]+:/, '').slice(0, 8);

function Job({ model, commands, job }: IEnv & { job: IJob }): JSX.Element {
  const going = job.status === 'running';
  const name = `${job.verb} ${subjectOf(job)}`;
  return (
    <article className="mlops-Card" aria-label={name} data-testid={`mlops-job-${hex8(job.id)}`}>
      <header>
        <h3>{name}</h3>
        <Badge says={job.status} />
      </header>
      <p className="mlops-Dim">
        {job.by}, <When at={job.began_at} />
        {job.verb === 'ingest' && ` · from ${text(job.arguments.folder).split('/').pop()}`}
        {job.said && !job.error && ` · ${job.said}`}
      </p>
      {going && <Progress of={name} done={job.done} total={job.total} />}
      {job.error && <Problem text={job.error} past />}
      {going && (
        <div className="mlops-Acts">
          <Act label={`Stop ${name}`} onAct={() => commands.execute(Id.stopJob, { id: job.id })}>
            Stop
          </Act>
        </div>
      )}
      <JobLog {...{ model, job }} />
    </article>
  );
}

function JobLog({ model, job }: { model: IEnv['model']; job: IJob }): JSX.Element {
  const [of, going] = [`${job.verb} ${subjectOf(job)}`, job.status === 'running'];
  return (
    <Fold summary="Log">
      {() => <Log id={job.id} ask={() => model.request.jobLog(job.id)} {...{ of, going }} />}
    </Fold>
  );
}

interface IRunProps extends IEnv {
  readonly run: IRunState;
  readonly job: IJob | undefined;
  readonly newest: boolean;
}

function Run({ model, commands, run, job, newest }: IRunProps): JSX.Element {
  const going = run.status === 'running';
  const name = job ? `${job.verb} ${subjectOf(job)}` : (run.steps[run.steps.length - 1]?.name ?? run.kind);
  const broken = run.status === 'failed' || run.status === 'stopped';
  const done = run.steps.filter(step => step.status === 'ran' || step.status === 'cached').length;
  const open = going || newest || (broken && Date.now() - Date.parse(run.began_at) < 3_600_000);
  return (
    <article className="mlops-Card" aria-label={`Run ${name}`} data-testid={`mlops-run-${hex8(run.id)}`} data-id={run.id}>
      <header>
        <h3>{name}</h3>
        <Badge says={run.status} />
      </header>
      <p className="mlops-Dim">
        {run.by}, <When at={run.began_at} /> · <span title={run.id}>run:{hex8(run.id)}</span> · {steps(done, run.steps.length)}
        {run.stop_by && ` · stopped by ${run.stop_by}`}
      </p>
      {going && <Progress of={name} done={cells(run.steps)} total={total(run.steps)} />}
      <div className="mlops-Acts">
        {going && (
          <Act label={`Cancel ${name}`} onAct={() => commands.execute(Id.cancelRun, { id: run.id })}>
            Cancel
          </Act>
        )}
        {broken && (
          <Act kind="main" label={`Resume ${name}`} onAct={() => commands.execute(Id.resumeRun, { id: run.id })}>
            Resume
          </Act>
        )}
        <Act label={`Lineage of ${name}`} onAct={() => commands.execute(Id.lineage, { of: run.id })}>
          Lineage
        </Act>
      </div>
      {job?.status === 'failed' && run.status === 'ran' && (
        <>
          <Problem text={job.error} past />
          <JobLog {...{ model, job }} />
        </>
      )}
      <Fold summary="Steps" open={open} testid="mlops-steps">
        {() => run.steps.map(step => <Step key={step.name} {...{ model, commands, run, step }} />)}
      </Fold>
    </article>
  );
}

/** Drawn again only when they change themselves, however many events come for others. */
const RunCard = React.memo(Run);
export const JobCard = React.memo(Job);

const steps = (done: number, all: number) =>
  done === all ? counted(all, 'step') : `${done} of ${counted(all, 'step')}`;

const cells = (steps: readonly IStepState[]) =>
  steps.reduce((sum, step) => sum + (step.status === 'cached' || step.status === 'ran' ? step.of : step.cells), 0);

/** Cells in all; not known before every step that goes on knows its own. */
const total = (steps: readonly IStepState[]) =>
  steps.some(step => step.of === 0 && step.status !== 'cached' && step.status !== 'ran')
    ? null
    : steps.reduce((sum, step) => sum + step.of, 0);

function Step({ model, commands, run, step }: IEnv & { run: IRunState; step: IStepState }): JSX.Element {
  const bundle = bundlesIn(step.outputs)[0];
  return (
    <div className="mlops-Step">
      <div className="mlops-Step-line">
        <strong>{step.name}</strong> <Badge says={step.status} />
        <span className="mlops-Dim">
          {step.of > 0 && ` ${step.cells} of ${step.of} cells`}
          {step.seconds > 0 && ` · ${step.seconds.toFixed(1)} s`}
        </span>
      </div>
      {step.status === 'running' && <Progress of={step.name} done={step.cells} total={step.of || null} />}
      {step.error && step.status !== 'stopped' && <Problem text={step.error.slice(-600)} past />}
      <div className="mlops-Acts">
        {step.notebook && (
          <Act
            label={`Open the executed notebook of ${step.name}`}
            onAct={() => commands.execute(Id.openNotebook, { path: step.notebook, id: run.id, step: step.name })}
          >
            Notebook
          </Act>
        )}
        {bundle && (
          <Act label={`Register what ${step.name} made`} onAct={() => commands.execute(Id.register, { bundle })}>
            Register
          </Act>
        )}
      </div>
      {step.status !== 'not_run' && (
        <Fold summary="Log" testid="mlops-log">
          {() => (
            <Log
              of={step.name}
              id={`${run.id} ${step.name}`}
              going={step.status === 'running'}
              ask={() => model.request.log(run.id, step.name)}
            />
          )}
        </Fold>
      )}
    </div>
  );
}
