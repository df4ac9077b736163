import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { browse } from './browse';
import { verbs } from './commands/plugin';
import { launcher } from './launcher';
import { lineage } from './lineage/plugin';
import { menu } from './menu';
import { Model } from './model';
import { notebook } from './notebook/plugin';
import { panel } from './panels/plugin';
import { requests } from './request';
import { status } from './status';
import { IMlops } from './tokens';

/** What all other plugins share: what the server knows, and how to ask it. */
const model: JupyterFrontEndPlugin<IMlops> = {
  id: 'mlops-nb:model',
  description: 'What the server of mlops_nb knows, kept up to date by its events.',
  autoStart: true,
  provides: IMlops,
  activate: (app: JupyterFrontEnd) => new Model(requests(app.serviceManager.serverSettings), app.serviceManager)
};

export default [model, verbs, panel, notebook, lineage, browse, launcher, status, menu];
