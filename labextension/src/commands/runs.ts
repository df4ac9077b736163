import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { text } from '../reading';
import type { IJob, IMlops } from '../tokens';
import { short } from '../parts';
import { attempt, bundlesIn } from './asking';
import { Id } from './ids';

/** What is done about runs and jobs, whoever began them. */
export function addRunCommands(app: JupyterFrontEnd, model: IMlops): void {
  const { commands } = app;
  const id = (args: { readonly id?: unknown }) => text(args.id);
  const running = () => (model.slot('runs').value ?? []).find(run => run.status === 'running')?.id ?? '';
  const job = () => (model.slot('jobs').value ?? []).find(one => one.status === 'running')?.id ?? '';
  const broken = () => (model.slot('runs').value ?? []).find(run => ['failed', 'stopped'].includes(run.status))?.id ?? '';

  const executed = () =>
    (model.slot('runs').value ?? [])
      .flatMap(run => run.steps.filter(step => step.notebook).map(step => ({ id: run.id, step: step.name })))
      .at(0);

  commands.addCommand(Id.cancelRun, {
    label: 'Cancel the newest run',
    caption: 'Ask a run to stop; what it has done is kept',
    isEnabled: args => (id(args) || running()) !== '',
    execute: args =>
      attempt(async () => {
        await model.request.cancel(id(args) || running());
        await model.refresh('runs');
      })
  });

  commands.addCommand(Id.resumeRun, {
    label: 'Resume the newest broken run',
    caption: 'Go on with a run that failed or was stopped; what it has done is not done again',
    isEnabled: args => (id(args) || broken()) !== '',
    execute: args =>
      attempt(() => model.begin('resume', { run: id(args) || broken() }, text(args.notebook) || undefined))
  });

  commands.addCommand(Id.stopJob, {
    label: 'Stop the newest job',
    caption: 'Ask long work to stop',
    isEnabled: args => (id(args) || job()) !== '',
    execute: args =>
      attempt(async () => {
        await model.request.stopJob(id(args) || job());
        await model.refresh('jobs');
      })
  });

  commands.addCommand(Id.openNotebook, {
    label: 'Open the newest executed notebook',
    caption: 'Read a step’s notebook with what it printed and drew',
    isEnabled: args => (id(args) ? args : executed()) !== undefined,
    execute: args => {
      const meant = id(args) ? args : executed();
      return attempt(() => openPage(app, model, text(meant?.id), text(meant?.step)));
    }
  });
}

/** Show a notebook as executed, to read: no script of it runs, and nobody edits what is on record. */
async function openPage(app: JupyterFrontEnd, model: IMlops, run: string, step: string): Promise<void> {
  const there = `mlops-page-${run}-${step}`.replace(/[^\w-]/g, '-');
  if (![...app.shell.widgets('main')].some(one => one.id === there)) {
    const content = new Widget({ node: document.createElement('iframe') });
    content.addClass('mlops-Page');
    content.node.setAttribute('sandbox', '');
    content.node.setAttribute('title', `${step} as executed`);
    content.node.setAttribute('srcdoc', await model.request.page(run, step));
    const widget = new MainAreaWidget({ content });
    widget.id = there;
    widget.title.label = `${step} as executed`;
    widget.title.caption = `Step ${step} of ${run}`;
    app.shell.add(widget, 'main');
  }
  app.shell.activateById(there);
}

const DONE: Readonly<Record<string, string>> = {
  ingest: 'Ingested',
  split: 'Split',
  merge: 'Merged',
  validate: 'Validated',
  run: 'Ran',
  resume: 'Resumed',
  register: 'Registered',
  deploy: 'Deployed',
  judge: 'Judged'
};

/** What a job works on, in a few words. */
export function subjectOf(job: IJob): string {
  const { ref, notebook, run, name, bundle } = job.arguments;
  const path = text(notebook);
  return path.split('/').pop() || text(ref) || text(name) || short(text(run) || text(bundle));
}

const SHORT = 80; // characters of an error that a toast still shows
const LONG_MS = 30_000; // who waited that long may look elsewhere by now

/** Tell how a job ended that this person began, with the next step one click away; a cell tells of its own below it. */
export function tellEnd(app: JupyterFrontEnd, model: IMlops, job: IJob): void {
  const long = Date.parse(job.ended_at) - Date.parse(job.began_at) > LONG_MS;
  const mine = job.by === model.slot('status').value?.actor;
  if (!mine || job.verb === 'browse' || !(long || model.began(job))) {
    return;
  }
  const show = { label: 'Show', callback: () => void app.commands.execute(Id.panel, { section: 'runs' }) };
  const subject = subjectOf(job);
  if (job.status === 'failed') {
    const title = `${job.verb} of ${subject} failed`;
    const why = { label: 'Why', callback: () => void showErrorMessage(title, job.error) };
    const first = job.error.split(/(?<=[.!?])\s/)[0] ?? '';
    const said = first.length > 0 && first.length < SHORT ? `${title}: ${first}` : `${title}.`;
    Notification.error(said, { autoClose: false, actions: [why, show] }); // a toast would cut the remedy off
  } else if (job.status === 'stopped') {
    Notification.warning(`${job.verb} of ${subject} was stopped.`, { actions: [show] });
  } else {
    const verdict = text((job.result ?? {}).verdict).replace(/_/g, ' ');
    const said = verdict ? `${verdict}.` : job.run ? '' : job.said;
    const what = !said ? `${subject}.` : said.startsWith(subject) ? said : `${subject}: ${said}`;
    const bundle = bundlesIn(job.result ?? {})[0];
    const next =
      job.verb === 'register'
        ? [{ label: 'Judge', callback: () => void app.commands.execute(Id.judge, bundle ? { bundle } : {}) }]
        : [];
    const tell = verdict && verdict !== 'pass' ? Notification.warning : Notification.success;
    tell(`${DONE[job.verb] ?? job.verb} ${what}`, { autoClose: 8000, actions: [...next, show] });
  }
}
