import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { type INotebookModel, type NotebookPanel } from '@jupyterlab/notebook';
import { CommandToolbarButton } from '@jupyterlab/ui-components';
import { DisposableSet, type IDisposable } from '@lumino/disposable';

import { Id } from '../commands/ids';
import { IMlops } from '../tokens';
import { Strip } from './strip';

/** What stands in the toolbar of a notebook, in its order. */
const BUTTONS: readonly [id: string, label: string][] = [
  [Id.validate, 'Validate'],
  [Id.runStep, 'Run as step'],
  [Id.train, 'Train'],
  [Id.register, 'Register'],
  [Id.deploy, 'Deploy to staging']
];

class NotebookParts implements DocumentRegistry.IWidgetExtension<NotebookPanel, INotebookModel> {
  constructor(
    private readonly _app: JupyterFrontEnd,
    private readonly _model: IMlops
  ) {}

  createNew(panel: NotebookPanel): IDisposable {
    const { commands } = this._app;
    const parts = new DisposableSet();
    for (const [id, label] of BUTTONS) {
      const button = new CommandToolbarButton({ commands, id, label, args: { panel: panel.id } });
      panel.toolbar.insertBefore('spacer', id.replace(':', '-'), button);
      parts.add(button);
    }
    const path = () => panel.context.path;
    const strip = new Strip({ model: this._model, commands, path });
    panel.contentHeader.addWidget(strip);
    parts.add(strip);
    return parts;
  }
}

/** Buttons in the toolbar of every notebook, and a line below it that tells how the work goes. */
export const notebook: JupyterFrontEndPlugin<void> = {
  id: 'mlops-nb:notebook',
  description: 'Validate, run, train, register and deploy from the toolbar of a notebook.',
  autoStart: true,
  requires: [IMlops],
  activate: (app: JupyterFrontEnd, model: IMlops) => {
    app.docRegistry.addWidgetExtension('Notebook', new NotebookParts(app, model));
  }
};
