import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';

import type { Fields } from '../reading';
import { IMlops } from '../tokens';
import { addDataCommands } from './data';
import { addGrowingCommands } from './growing';
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
  optional: [INotebookTracker, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    model: IMlops,
    notebooks: INotebookTracker | null,
    browser: IDefaultFileBrowser | null
  ) => {
    const { commands } = app;
    /** The notebook whose toolbar was pressed; where none was, the one that is worked on. */
    const meant = (args: Fields) => {
      if (args.panel) {
        return notebooks?.find(one => one.id === args.panel) ?? null;
      }
      const panel = notebooks?.currentWidget ?? null;
      return panel === app.shell.currentWidget ? panel : null;
    };
    addNotebookCommands(commands, model, meant);
    addRunCommands(app, model);
    addModelCommands(commands, model);
    addStagingCommands(commands, model);
    addDataCommands(commands, model);
    addGrowingCommands(app, model, browser);
    model.ended.connect((_, job) => tellEnd(app, model, job));
    app.shell.currentChanged?.connect(() => {
      commands.notifyCommandChanged();
    });
  }
};
