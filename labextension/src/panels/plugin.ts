import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';

import { Id, SECTIONS } from '../commands/ids';
import { text } from '../reading';
import { IMlops } from '../tokens';
import { Panel } from './panel';

const TOPICS = { data: 'datasets', runs: 'runs', models: 'models', staging: 'deployments' } as const;

/** The side panel. */
export const panel: JupyterFrontEndPlugin<void> = {
  id: 'mlops-nb:panel',
  description: 'A side panel with data sets, runs, models and deployments.',
  autoStart: true,
  requires: [IMlops],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, model: IMlops, restorer: ILayoutRestorer | null) => {
    const widget = new Panel({ model, commands: app.commands });
    app.shell.add(widget, 'left', { rank: 850, type: 'MLOps' });
    restorer?.add(widget, widget.id);

    app.commands.addCommand(Id.panel, {
      label: args => {
        const section = SECTIONS.find(one => one === text(args.section));
        return section ? `Show ${section}` : 'Show the MLOps panel';
      },
      caption: 'Data sets, runs, models and deployments of this workspace',
      execute: async args => {
        app.shell.activateById(widget.id);
        await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))); // the palette gives the focus back
        const section = SECTIONS.find(one => one === text(args.section));
        if (!section) {
          return false;
        }
        if (args.id && model.slot(TOPICS[section]).value === null) {
          await model.refresh(TOPICS[section]);
        }
        return widget.reveal(section, text(args.id), args.log === true);
      }
    });
  }
};
