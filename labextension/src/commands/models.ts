import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import { ask } from '../form/dialog';
import { count, text, type Fields } from '../reading';
import type { IMlops, IModel, IModelVersion } from '../tokens';
import { attempt, knownRefs, listOf, offers, schemaOf, tellDone } from './asking';
import { Id } from './ids';

const COMMENT = { title: 'Comment', description: 'why; it is kept on record', format: 'long' };

/** What is decided about models; the server judges whether it may be. */
export function addModelCommands(commands: CommandRegistry, model: IMlops): void {
  const known = () => listOf(model, 'models');
  const put = (models: readonly IModel[]) => model.put('models', models);

  commands.addCommand(Id.judge, {
    label: 'Judge a model …',
    caption: 'Evaluate a model beside the one in staging, and put the gate’s Decision on record',
    execute: async args => {
      const [models] = await Promise.all([known(), listOf(model, 'datasets')]);
      const versions = models.flatMap(one => one.versions.map(version => ({ one, version })));
      const choices = versions.map(({ one, version }) => ({ id: version.bundle, label: nameOf(one, version) }));
      const bundle = text(args.bundle) || choices[0]?.id;
      const name = versions.find(({ version }) => version.bundle === bundle)?.one.name;
      const refs = knownRefs(model);
      const heldOut = refs.find(ref => ref.startsWith(`${name}@`)) ?? refs[0];
      await ask({
        title: 'Judge a model',
        about: choices.length
          ? 'It is evaluated on the held-out part of the data, beside the model that is in staging.'
          : 'No model is registered yet. Train and register one first.',
        schema: schemaOf({
          bundle: { title: 'Model', choices, initial: bundle },
          data: { title: 'Data', description: 'a version, such as signs@v2', format: 'DatasetRef', initial: heldOut },
          min_accuracy: { title: 'Lowest accuracy', type: 'number', initial: 0.9, minimum: 0, maximum: 1, more: true },
          max_drop: {
            title: 'Largest drop',
            description: 'in accuracy, against the model in staging',
            type: 'number',
            initial: 0.02,
            minimum: 0,
            maximum: 1,
            more: true
          },
          slices: { title: 'Slices', description: 'such as weather, or weather=snow', type: 'array', empty: true, more: true }
        }),
        send: 'Judge',
        offers: offers(model),
        onSend: ({ bundle, data, ...policy }) => model.begin('judge', { bundle, data, policy })
      });
    }
  });

  commands.addCommand(Id.propose, {
    label: 'Propose a model …',
    caption: 'Propose that a registered version with a Decision should replace what runs',
    execute: async args => {
      const choices = (await known()).flatMap(one =>
        one.versions.map(version => ({ id: version.bundle, label: nameOf(one, version) }))
      );
      const bundle = text(args.bundle) || choices[0]?.id;
      await ask({
        title: 'Propose a model',
        about: choices.length ? undefined : 'No model is registered yet. Train and register one first.',
        schema: schemaOf({
          bundle: { title: 'Model', choices, initial: bundle },
          summary: { title: 'Summary', description: 'what got better, for the person who approves', format: 'long' }
        }),
        send: 'Propose',
        all: true,
        onSend: async values => put(await model.request.propose(text(values.bundle), '', text(values.summary)))
      });
    }
  });

  for (const verdict of ['approve', 'reject'] as const) {
    const word = verdict === 'approve' ? 'Approve' : 'Reject';
    commands.addCommand(Id[verdict], {
      label: `${word} a proposal …`,
      caption: `${word} what somebody else proposed`,
      execute: async args => {
        const models = await known();
        const choices = openProposals(models);
        const actor = model.slot('status').value?.actor ?? '';
        const proposals = models.flatMap(one => one.versions.flatMap(version => version.proposals));
        const own = verdict === 'reject' && proposals.some(one => one.id === text(args.proposal) && one.by === actor);
        await ask({
          title: own ? 'Withdraw your proposal' : `${word} a proposal`,
          about: choices.length
            ? `You decide as ${actor}. What you write is kept on record with the Decision.`
            : 'Nothing is proposed at the moment.',
          schema: schemaOf({
            proposal: { title: 'Proposal', choices, initial: text(args.proposal) || choices[0]?.id },
            comment: COMMENT
          }),
          send: own ? 'Withdraw' : word,
          all: true,
          onSend: async values => put(await model.request.judge(verdict, text(values.proposal), text(values.comment)))
        });
      }
    });
  }

  commands.addCommand(Id.promote, {
    label: 'Promote a model …',
    caption: 'Move an alias such as staging to an approved version',
    execute: async args => {
      const models = await known();
      const choices = models.flatMap(one =>
        one.versions.map(version => ({ id: `${one.name}@${version.version}`, label: nameOf(one, version) }))
      );
      const initial = args.name ? `${text(args.name)}@${text(args.version)}` : choices[0]?.id;
      await ask({
        title: 'Promote a model',
        about: 'It needs a Decision that passed and the approval of somebody else than who proposed it.',
        schema: schemaOf({
          version: { title: 'Model', choices, initial },
          alias: { title: 'Alias', choices: ['staging', 'production'], initial: text(args.alias) || 'staging' }
        }),
        send: 'Promote',
        all: true,
        onSend: async values => {
          const [name = '', version = ''] = text(values.version).split('@');
          const proposal = text(args.proposal) || approvedOf(models, name, Number(version));
          put(await model.request.promote(name, Number(version), text(values.alias), proposal));
          tellDone(`${name}@${text(values.alias)} is version ${version} now.`);
        }
      });
    }
  });

  commands.addCommand(Id.rollback, {
    label: 'Roll back a model …',
    caption: 'Move an alias back to the version it named before',
    execute: async args => {
      const names = (await known()).map(one => one.name);
      if (!args.name || !args.alias) {
        await ask({
          title: 'Roll back a model',
          schema: schemaOf({
            name: { title: 'Model', choices: names, initial: text(args.name) || names[0] },
            alias: { title: 'Alias', choices: ['staging', 'production'], initial: 'staging' }
          }),
          send: 'Roll back',
          all: true,
          onSend: async values => put(await model.request.rollback(text(values.name), text(values.alias)))
        });
      } else if (await sure(args)) {
        await attempt(async () => put(await model.request.rollback(text(args.name), text(args.alias))));
      }
    }
  });
}

async function sure(args: Fields): Promise<boolean> {
  const { button } = await showDialog({
    title: `Roll back ${text(args.name)}@${text(args.alias)}?`,
    body: 'The alias moves back to the version it named before. A deployment keeps serving until it is deployed again.',
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Roll back' })]
  });
  return button.accept;
}

function nameOf(one: IModel, version: IModelVersion): string {
  const aliases = version.aliases.length ? ` (${version.aliases.join(', ')})` : '';
  return `${one.name}@${version.version}${aliases}`;
}

function openProposals(models: readonly IModel[]): { id: string; label: string }[] {
  return models.flatMap(one =>
    one.versions.flatMap(version =>
      version.proposals
        .filter(proposal => proposal.status === 'open')
        .map(proposal => ({ id: proposal.id, label: `${one.name}@${version.version}, by ${proposal.by}: ${proposal.summary}` }))
    )
  );
}

/** The approved proposal of a version; '' if there is none, which the server will say better. */
function approvedOf(models: readonly IModel[], name: string, version: number): string {
  const found = models.find(one => one.name === name)?.versions.find(one => count(one.version) === version);
  return found?.proposals.find(proposal => proposal.status === 'approved')?.id ?? '';
}
