import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import { ask } from '../form/dialog';
import { text } from '../reading';
import type { IDeployment, IMlops } from '../tokens';
import { attempt, listOf, schemaOf } from './asking';
import { Id } from './ids';
import { sendImages } from '../staging/sending';

/** What is done about what is deployed. */
export function addStagingCommands(commands: CommandRegistry, model: IMlops): void {
  const known = () => listOf(model, 'deployments');
  const put = (deployments: readonly IDeployment[]) => model.put('deployments', deployments);

  commands.addCommand(Id.acknowledge, {
    label: 'Acknowledge an alert …',
    caption: 'Say that you have seen it, and what you do about it',
    execute: async args => {
      const choices = (await known()).flatMap(one =>
        one.alerts
          .filter(alert => alert.acknowledged_by === '')
          .map(alert => ({ id: alert.id, label: `${one.name}: ${alert.sentence}` }))
      );
      await ask({
        title: 'Acknowledge an alert',
        about: choices.length ? undefined : 'No alert is open.',
        schema: schemaOf({
          id: { title: 'Alert', choices, initial: text(args.id) || choices[0]?.id },
          comment: { title: 'Comment', description: 'what you found, and what you do about it', format: 'long' }
        }),
        send: 'Acknowledge',
        all: true,
        onSend: async values => {
          put(await model.request.acknowledge(text(values.id), text(values.comment)));
          await model.refresh('status');
        }
      });
    }
  });

  commands.addCommand(Id.check, {
    label: 'Check a deployment now',
    caption: 'Compare what it says with its reference, and page if it must',
    execute: async args => {
      const name = text(args.name) || (await chosen(await known(), 'Check a deployment', 'Check'));
      if (name) {
        await attempt(async () => {
          put(await model.request.check(name));
          await model.refresh('status'); // it counts the alerts
        });
      }
    }
  });

  commands.addCommand(Id.stopDeployment, {
    label: 'Stop a deployment …',
    caption: 'End the server of a model; its log stays',
    execute: async args => {
      const name = text(args.name) || (await chosen(await known(), 'Stop a deployment', 'Choose'));
      if (!name) {
        return;
      }
      const { button } = await showDialog({
        title: `Stop ${name}?`,
        body: 'Nobody can ask it any more. What it answered stays on record; deploy a model to begin again.',
        buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Stop' })]
      });
      if (button.accept) {
        await attempt(async () => put(await model.request.stopDeployment(name)));
      }
    }
  });

  commands.addCommand(Id.sendImages, {
    label: 'Send images …',
    caption: 'Ask a deployment what it sees in images of yours',
    execute: async args => {
      const name = text(args.name) || (await chosen(await known(), 'Send images', 'Choose'));
      if (name) {
        await sendImages(commands, model, name);
      }
    }
  });
}

/** One of the deployments; at once if there is only one. */
async function chosen(known: readonly IDeployment[], title: string, send: string): Promise<string> {
  const names = known.map(one => one.name);
  if (names.length === 1) {
    return names[0] ?? '';
  }
  let name = '';
  await ask({
    title,
    about: names.length ? undefined : 'Nothing is deployed. Deploy a registered model first.',
    schema: schemaOf({ name: { title: 'Deployment', choices: names, initial: names[0] } }),
    send,
    all: true,
    onSend: values => Promise.resolve((name = text(values.name)))
  });
  return name;
}
