import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { Menu } from '@lumino/widgets';

import { Id, SECTIONS } from './commands/ids';

/** What the menu shows, in groups. */
const GROUPS: readonly (readonly string[])[] = [
  [Id.template],
  [Id.validate, Id.runStep, Id.train, Id.register, Id.deploy],
  [Id.judge, Id.propose, Id.approve, Id.reject, Id.promote, Id.rollback],
  [Id.sendImages, Id.check, Id.acknowledge, Id.stopDeployment],
  [Id.ingest, Id.split, Id.tag, Id.fork, Id.merge, Id.release, Id.browse, Id.lineage],
  [Id.cancelRun, Id.resumeRun, Id.stopJob, Id.openNotebook]
];

/** A menu of its own, and the same in the command palette. */
export const menu: JupyterFrontEndPlugin<void> = {
  id: 'mlops-nb:menu',
  description: 'A menu and palette entries for all commands.',
  autoStart: true,
  optional: [IMainMenu, ICommandPalette],
  activate: (app: JupyterFrontEnd, bar: IMainMenu | null, palette: ICommandPalette | null) => {
    const { commands } = app;
    const made = new Menu({ commands });
    made.id = 'mlops-nb-menu';
    made.title.label = 'MLOps';
    for (const group of GROUPS) {
      group.forEach(command => {
        made.addItem({ command });
        palette?.addItem({ command, category: 'MLOps' });
      });
      made.addItem({ type: 'separator' });
    }
    for (const section of SECTIONS) {
      made.addItem({ command: Id.panel, args: { section } });
      palette?.addItem({ command: Id.panel, args: { section }, category: 'MLOps' });
    }
    bar?.addMenu(made, true, { rank: 60 });
  }
};
