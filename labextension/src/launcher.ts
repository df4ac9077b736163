import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';

import { ask } from './form/dialog';
import { schemaOf } from './commands/asking';
import { Id } from './commands/ids';
import { icons } from './icons';
import { text } from './reading';
import { IMlops, type ITemplate } from './tokens';

/** Cards that begin from a template, and the command behind them. */
export const launcher: JupyterFrontEndPlugin<void> = {
  id: 'mlops-nb:launcher',
  description: 'Launcher cards for the templates.',
  autoStart: true,
  requires: [IMlops],
  optional: [ILauncher, IDefaultFileBrowser],
  activate: (
    app: JupyterFrontEnd,
    model: IMlops,
    launched: ILauncher | null,
    browser: IDefaultFileBrowser | null
  ) => {
    let known: readonly ITemplate[] = [];
    const titleOf = (name: string) => known.find(one => one.name === name)?.title ?? name;

    app.commands.addCommand(Id.template, {
      label: args => (args.name ? titleOf(text(args.name)) : 'New notebook from a template …'),
      caption: args => known.find(one => one.name === args.name)?.about ?? 'Copy a step notebook to work on',
      icon: icons.sign,
      execute: async args => {
        const folder = text(args.cwd) || browser?.model.path || '';
        const choices = known.map(one => ({ id: one.name, label: `${one.name}: ${one.title}` }));
        const name = text(args.name) || (choices[0]?.id ?? '');
        const file = await freeName(app, folder, name);
        let made = '';
        const created = await ask({
          title: args.name ? titleOf(name) : 'New notebook from a template',
          about: known.find(one => one.name === args.name)?.about,
          schema: schemaOf({
            ...(args.name ? {} : { name: { title: 'Template', choices, initial: name } }),
            file: { title: 'File name', description: folder ? `in ${folder}` : 'in the top folder', initial: file }
          }),
          send: 'Create',
          all: true,
          onSend: async values => {
            made = [folder, text(values.file)].filter(Boolean).join('/');
            made = (await model.request.copyTemplate(text(values.name) || name, made)) || made;
          }
        });
        // Only now: a dialog that goes gives the focus back. The launcher puts what it is given in its own place.
        return created ? app.commands.execute('docmanager:open', { path: made }) : null;
      }
    });

    void model.request.templates().then(
      found => {
        known = found;
        app.commands.notifyCommandChanged(Id.template);
        found.forEach((one, at) =>
          launched?.add({ command: Id.template, args: { name: one.name }, category: 'MLOps', rank: at })
        );
      },
      () => undefined // the panel says why the server does not answer
    );
  }
};

/** A name that is free in a folder: `train.ipynb`, `train-2.ipynb`, ... */
async function freeName(app: JupyterFrontEnd, folder: string, name: string): Promise<string> {
  try {
    const { content } = await app.serviceManager.contents.get(folder, { content: true });
    const taken = new Set((content as { name: string }[]).map(one => one.name));
    for (let at = 1; at < 100; at++) {
      const free = at === 1 ? `${name}.ipynb` : `${name}-${at}.ipynb`;
      if (!taken.has(free)) {
        return free;
      }
    }
  } catch {
    // the server refuses a name that is taken, too
  }
  return `${name}.ipynb`;
}
