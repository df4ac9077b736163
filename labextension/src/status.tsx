import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ReactWidget } from '@jupyterlab/ui-components';
import { IStatusBar } from '@jupyterlab/statusbar';
import * as React from 'react';

import { Id } from './commands/ids';
import { icons } from './icons';
import { counted, useSlot, type IEnv } from './parts';
import { IMlops } from './tokens';

/** Running work, open alerts and what waits for approval, at the foot of the window. */
export const status: JupyterFrontEndPlugin<void> = {
  id: 'mlops-nb:status',
  description: 'Running steps, open alerts and open proposals in the status bar.',
  autoStart: true,
  requires: [IMlops],
  optional: [IStatusBar],
  activate: (app: JupyterFrontEnd, model: IMlops, bar: IStatusBar | null) => {
    const item = ReactWidget.create(<Item model={model} commands={app.commands} />);
    item.addClass('mlops-StatusItem');
    bar?.registerStatusItem('mlops-nb:status', { item, align: 'left', rank: 20 });
  }
};

function Item({ model, commands }: IEnv): JSX.Element {
  const { value, problem } = useSlot(model, 'status');
  const jobs = useSlot(model, 'jobs').value ?? [];
  const runs = useSlot(model, 'runs').value ?? [];
  const inJobs = new Set(jobs.map(job => job.run));
  const going = (one: { readonly status: string }) => one.status === 'running';
  const running = jobs.filter(going).length + runs.filter(run => going(run) && !inJobs.has(run.id)).length;
  const models = useSlot(model, 'models').value ?? [];
  const deployments = useSlot(model, 'deployments').value ?? [];
  const alerts = value?.alerts ?? 0;
  const down = deployments.filter(one => !one.alive).length;
  const asked = models
    .flatMap(one => one.versions.flatMap(version => version.proposals))
    .filter(one => one.status === 'open' && one.by !== value?.actor).length;
  const said = problem
    ? 'MLOps: no answer'
    : model.mismatch
      ? 'MLOps: reload the page'
      : [
          running ? `${running} running` : '',
          alerts ? counted(alerts, 'alert') : '',
          down ? `${down} down` : '',
          asked ? `${asked} to approve` : ''
        ]
          .filter(Boolean)
          .join(' · ') || 'MLOps';
  const section = alerts || down ? 'staging' : asked ? 'models' : 'runs';
  return (
    <button
      type="button"
      data-testid="mlops-status"
      className={alerts ? 'mlops-mod-alert' : ''}
      title={model.mismatch || problem || 'Running work, open alerts, what waits for approval: show the panel'}
      onClick={() => void commands.execute(Id.panel, { section })}
    >
      <icons.sign.react tag="span" />
      {said}
    </button>
  );
}
