import type { CommandRegistry } from '@lumino/commands';

import { ask } from '../form/dialog';
import { text } from '../reading';
import type { IMlops } from '../tokens';
import { knownRefs, listOf, offers, schemaOf, tellDone, type IProperty } from './asking';
import { Id } from './ids';

/** What is decided about data sets. */
export function addDataCommands(commands: CommandRegistry, model: IMlops): void {
  const known = () => listOf(model, 'datasets');

  const inQuarantine = async (only: string) => {
    const asked = (await known()).filter(({ name, quarantined }) => (only ? name === only : quarantined > 0));
    const found = await Promise.all(
      asked.map(async ({ name }) => (await model.request.quarantine(name)).map(one => ({ name, one })))
    );
    return found.flat();
  };

  const name = async (verb: 'tag' | 'fork', given: string, what: IProperty) => {
    await known();
    const initial = given || knownRefs(model)[0];
    await ask({
      title: verb === 'tag' ? 'Tag a data set version' : 'Fork a data set',
      schema: schemaOf({
        ref: { title: 'Data set', description: 'such as signs@main', format: 'DatasetRef', initial },
        [verb]: what
      }),
      send: verb === 'tag' ? 'Tag' : 'Fork',
      all: true,
      offers: offers(model),
      onSend: async values => {
        await model.request[verb](text(values.ref), text(values[verb]));
        await model.refresh('datasets');
        tellDone(`${text(values.ref)} is ${verb === 'tag' ? 'tagged' : 'forked to'} ${text(values[verb])}.`);
      }
    });
  };

  commands.addCommand(Id.tag, {
    label: 'Tag a data set version …',
    caption: 'Give a version a name that stays',
    execute: args => name('tag', text(args.ref), { title: 'Tag', description: 'such as v3' })
  });

  commands.addCommand(Id.fork, {
    label: 'Fork a data set …',
    caption: 'A branch of your own; nothing is copied',
    execute: args => {
      const initial = `${model.slot('status').value?.actor ?? 'me'}/try`;
      const description = 'your name and what it is for';
      return name('fork', text(args.ref), { title: 'Branch', description, initial });
    }
  });

  commands.addCommand(Id.release, {
    label: 'Release a sample from quarantine …',
    caption: 'Take a sample back into the data set, with a reason',
    execute: async args => {
      const held = await inQuarantine(text(args.name));
      const choices = held.map(({ name, one }, at) => ({ id: String(at), label: `${name}: ${one.source}, ${one.reason}` }));
      const asked = held.findIndex(({ one }) => one.id === args.id);
      await ask({
        title: 'Release a sample',
        about: held.length ? 'It comes back as it is, and what was found about it stays as a warning.' : 'Nothing is in quarantine.',
        schema: schemaOf({
          sample: { title: 'Sample', choices, initial: choices[Math.max(0, asked)]?.id },
          reason: { title: 'Reason', description: 'why it is sound after all', format: 'long' }
        }),
        send: 'Release',
        all: true,
        onSend: async values => {
          const { name, one } = held[Number(values.sample)] ?? {};
          await model.request.release(name ?? '', one?.id ?? '', text(values.reason));
          await model.refresh('datasets');
        }
      });
    }
  });
}
