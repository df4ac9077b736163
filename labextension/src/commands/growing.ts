import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';

import { ask } from '../form/dialog';
import { icons } from '../icons';
import { text } from '../reading';
import type { IDataset, IMlops } from '../tokens';
import { listOf, schemaOf } from './asking';
import { Id } from './ids';

/** How a data set begins and grows: a folder is read, samples get a side, a branch is merged. */
export function addGrowingCommands(app: JupyterFrontEnd, model: IMlops, browser: IDefaultFileBrowser | null): void {
  const { commands } = app;
  const known = () => listOf(model, 'datasets');

  commands.addCommand(Id.ingest, {
    label: 'Ingest a folder …',
    caption: 'Read a folder of images and labels into a data set',
    icon: icons.sign,
    execute: async () => {
      const folder = folderIn(browser);
      await known();
      await ask({
        title: 'Ingest a folder',
        about:
          'Its format is recognised: image folders, GTSRB, COCO, VOC, YOLO, KITTI, BDD100K, CSV, MCAP or ROS bags. ' +
          'What cannot be read goes to quarantine with a reason; what is known already is not added twice.',
        schema: schemaOf({
          folder: { title: 'Folder', description: 'as the file browser names it', initial: folder },
          name: {
            title: 'Data set',
            description: 'what grows by it; empty: one called like the folder. signs@ann/night is a branch',
            format: 'DatasetName',
            empty: true
          }
        }),
        send: 'Ingest',
        all: true,
        offers: { DatasetName: (await known()).flatMap(namesOf) },
        onSend: ({ folder, name }) => model.begin('ingest', { folder, name: text(name) || text(folder).split('/').filter(Boolean).pop() })
      });
    }
  });
  app.contextMenu.addItem({
    command: Id.ingest,
    selector: '.jp-DirListing-item[data-isdir="true"]',
    rank: 20
  });

  commands.addCommand(Id.split, {
    label: 'Split a data set …',
    caption: 'Give every sample that has none a side: train, val or test',
    execute: async args => {
      const names = (await known()).flatMap(namesOf);
      if (!names.length) {
        return commands.execute(Id.ingest);
      }
      const share = { type: 'number', minimum: 0, maximum: 1, more: true, empty: true } as const;
      await ask({
        title: 'Split a data set',
        about:
          'Frames of one drive stay together, and a sample that has a side keeps it. ' +
          'Shares are those of its contract, else 70 % train, 15 % val, 15 % test.',
        schema: schemaOf({
          name: { title: 'Data set', choices: names, initial: text(args.name) || names[0] },
          train: { title: 'Train', description: 'a share; empty, or all three, which add up to 1', ...share },
          val: { title: 'Val', ...share },
          test: { title: 'Test', ...share }
        }),
        send: 'Split',
        all: true,
        onSend: values => {
          const shares = [values.train, values.val, values.test].filter(one => typeof one === 'number');
          const sum = shares.reduce((all, one) => all + one, 0);
          if (shares.length && Math.abs(sum - 1) > 1e-6) {
            throw new Error(`The shares add up to ${Number(sum.toFixed(6))}. Make all three add up to 1, or leave them empty.`);
          }
          return model.begin('split', values);
        }
      });
    }
  });

  commands.addCommand(Id.merge, {
    label: 'Merge a branch …',
    caption: 'Take the changes of a branch into its data set',
    execute: async args => {
      const branches = (await known()).flatMap(one => namesOf(one).slice(1));
      const ref = text(args.ref) || (branches[0] ?? '');
      const into = ref.split('@')[0] ?? '';
      await ask({
        title: 'Merge a branch',
        about: ref ? `${ref} beside ${into}: ${await differenceOf(model, into, ref)}` : 'No data set has a branch.',
        schema: schemaOf({
          ref: { title: 'Branch', choices: args.ref ? [ref] : branches, initial: ref },
          into: { title: 'Into', description: 'the data set, or another branch of it', initial: into }
        }),
        send: 'Merge',
        all: true,
        onSend: values => model.begin('merge', values)
      });
    }
  });
}

/** The data set and its branches, as the verbs name them. */
const namesOf = (one: IDataset) => [one.name, ...one.branches.map(branch => `${one.name}@${branch.name}`)];

/** The folder a person has chosen in the file browser, else the one they are in. */
function folderIn(browser: IDefaultFileBrowser | null): string {
  for (const one of browser?.selectedItems() ?? []) {
    if (one.type === 'directory') {
      return one.path;
    }
  }
  return browser?.model.path ?? '';
}

async function differenceOf(model: IMlops, before: string, after: string): Promise<string> {
  const { added, removed, changed, fields } = await model.request.difference(before, after);
  const what = fields.map(one => `${one.field} ${one.count}`).join(', ');
  const said = `${added} samples added, ${removed} removed, ${changed} changed`;
  return what ? `${said} (${what}).` : `${said}.`;
}
