import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { IMlops } from '../tokens';
import { addDataCommands } from './data';
import { addModelCommands } from './models';
import { addNotebookCommands } from './notebook';
import { addRunCommands, tellEnd } from './runs';
import { addStagingCommands } from './staging';

/** All verbs of the house as commands; buttons, menus and other extensions execute them. */
export const verbs: JupyterFrontEndPlugin<void> = {
  id: 'mlops-nb:commands',
  description: 'Commands for all verbs.',
  autoStart: true,
  requires: [IMlops],
  optional: [INotebookTracker],
  activate: (app: JupyterFrontEnd, model: IMlops, notebooks: INotebookTracker | null) => {
    const { commands } = app;
    const current = () => {
      const panel = notebooks?.currentWidget ?? null;
      return panel !== null && panel === app.shell.currentWidget ? panel : null;
    };
    addNotebookCommands(commands, model, current);
    addRunCommands(app, model);
    addModelCommands(commands, model);
    addStagingCommands(commands, model);
    addDataCommands(commands, model);
    model.ended.connect((_, job) => tellEnd(app, model, job));
    app.shell.currentChanged?.connect(() => {
      commands.notifyCommandChanged();
    });
  }
};
