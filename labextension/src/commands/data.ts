import type { CommandRegistry } from '@lumino/commands';

import { ask } from '../form/dialog';
import { text } from '../reading';
import type { IMlops } from '../tokens';
import { knownRefs, schemaOf } from './asking';
import { Id } from './ids';

/** What is decided about data sets. */
export function addDataCommands(commands: CommandRegistry, model: IMlops): void {
  const asked = async (given: string) => {
    if (model.slot('datasets').value === null) {
      await model.refresh('datasets');
    }
    const refs = knownRefs(model);
    return {
      refs,
      ref: { title: 'Data set', description: 'such as signs@main', format: 'DatasetRef', initial: given || refs[0] }
    };
  };

  commands.addCommand(Id.tag, {
    label: 'Tag a data set version …',
    caption: 'Give a version a name that stays',
    execute: async args => {
      const { refs, ref } = await asked(text(args.ref));
      await ask({
        title: 'Tag a data set version',
        schema: schemaOf({ ref, tag: { title: 'Tag', description: 'such as v3' } }),
        send: 'Tag',
        all: true,
        offers: { DatasetRef: refs },
        onSend: async values => {
          await model.request.tag(text(values.ref), text(values.tag));
          await model.refresh('datasets');
        }
      });
    }
  });

  commands.addCommand(Id.fork, {
    label: 'Fork a data set …',
    caption: 'A branch of your own; nothing is copied',
    execute: async args => {
      const { refs, ref } = await asked(text(args.ref));
      const actor = model.slot('status').value?.actor ?? 'me';
      await ask({
        title: 'Fork a data set',
        schema: schemaOf({
          ref,
          branch: { title: 'Branch', description: 'your name and what it is for', initial: `${actor}/try` }
        }),
        send: 'Fork',
        all: true,
        offers: { DatasetRef: refs },
        onSend: async values => {
          await model.request.fork(text(values.ref), text(values.branch));
          await model.refresh('datasets');
        }
      });
    }
  });

  commands.addCommand(Id.release, {
    label: 'Release a sample from quarantine …',
    caption: 'Take a sample back into the data set, with a reason',
    isVisible: args => text(args.id) !== '', // the quarantine shows what there is to release
    isEnabled: args => text(args.id) !== '',
    execute: async args => {
      await ask({
        title: 'Release a sample',
        about: `${text(args.sample)} was put into quarantine: ${text(args.why)}`,
        schema: schemaOf({ reason: { title: 'Reason', description: 'why it is sound after all', format: 'long' } }),
        send: 'Release',
        all: true,
        onSend: async values => {
          await model.request.release(text(args.name), text(args.id), text(values.reason));
          await model.refresh('datasets');
        }
      });
    }
  });
}
