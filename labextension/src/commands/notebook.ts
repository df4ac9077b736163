import type { NotebookPanel } from '@jupyterlab/notebook';
import type { CommandRegistry } from '@lumino/commands';

import { ask, type IAsk } from '../form/dialog';
import { icons } from '../icons';
import { short } from '../parts';
import { fields, text, type Fields } from '../reading';
import type { IMlops } from '../tokens';
import { bundlesIn, knownBundles, knownModels, knownRefs, listOf, offers, schemaOf } from './asking';
import { Id } from './ids';

/** What a person does with the notebook in front of them. */
export function addNotebookCommands(
  commands: CommandRegistry,
  model: IMlops,
  meant: (args: Fields) => NotebookPanel | null
): void {
  const path = (args: Fields) => meant(args)?.context.path;

  commands.addCommand(Id.validate, {
    label: 'Validate …',
    caption: 'Check the data set that this notebook takes, and put bad samples into quarantine',
    icon: icons.check,
    execute: async args => {
      const panel = args.ref ? null : meant(args); // what is asked for in the panel is shown there
      const said = model.announce(panel?.context.path, 'validate');
      const ref = text(args.ref) || (panel ? await refOf(model, panel) : '');
      said();
      const form = validating(model, ref, panel?.context.path);
      await (ref ? begun(form, { ref }) : ask(form));
    }
  });

  commands.addCommand(Id.runStep, {
    label: 'Run as step …',
    caption: 'Run this notebook as a step: with the parameters you set, in a process of its own, on record',
    icon: icons.run,
    isEnabled: args => meant(args) !== null,
    execute: args => runNotebook(model, meant(args), false)
  });

  commands.addCommand(Id.train, {
    label: 'Train …',
    caption: 'Run this notebook as a step on the device you choose',
    icon: icons.train,
    isEnabled: args => meant(args) !== null,
    execute: args => runNotebook(model, meant(args), true)
  });

  commands.addCommand(Id.register, {
    label: 'Register …',
    caption: 'Give what was trained a name and a version',
    icon: icons.model,
    execute: async args => {
      await Promise.all([listOf(model, 'models'), model.slot('runs').value ?? model.refresh('runs')]);
      await ask(registering(model, path(args), text(args.bundle)));
    }
  });

  commands.addCommand(Id.deploy, {
    label: 'Deploy to staging …',
    caption: 'Serve a registered model on this machine, and send it a first request',
    icon: icons.deploy,
    execute: async args => {
      const shown = args.ref ? undefined : path(args);
      await model.refresh('models');
      const refs = knownModels(model);
      const named = text(args.ref);
      const schema = schemaOf({
        ref: {
          title: 'Model',
          description: 'a name with an alias or a version, such as signs@staging or signs@3',
          format: 'ModelRef',
          initial: named || refs[0]
        },
        name: {
          title: 'Deployment',
          description: 'where it answers from then on',
          initial: text(args.name) || 'staging'
        }
      });
      await ask({
        title: 'Deploy to staging',
        about:
          'The model is served on this machine; a deployment of the same name is replaced once the new one is healthy.' +
          unapproved(model, named || (refs[0] ?? '')),
        schema,
        send: 'Deploy',
        all: true,
        offers: { ModelRef: refs },
        onSend: values => model.begin('deploy', values, shown)
      });
    }
  });
}

/** A word of warning for a version that nobody but its author has looked at. */
function unapproved(model: IMlops, ref: string): string {
  const [name, which] = ref.split('@');
  const versions = (model.slot('models').value ?? []).find(one => one.name === name)?.versions ?? [];
  const found = versions.find(one => String(one.version) === which || one.aliases.includes(which ?? ''));
  const approved = !found || found.aliases.length > 0 || found.proposals.some(one => one.status === 'approved');
  return approved ? '' : ` Nobody has approved ${ref} yet.`;
}

/** Begin at once; only where that is refused a form asks, and says why. */
async function begun(form: IAsk, values: Record<string, unknown>): Promise<void> {
  try {
    await form.onSend(values);
  } catch (problem) {
    await ask({ ...form, about: problem instanceof Error ? problem.message : String(problem) });
  }
}

function validating(model: IMlops, ref: string, path: string | undefined): IAsk {
  const schema = schemaOf({
    ref: {
      title: 'Data set',
      description: 'a name with a tag, branch or version, such as signs@v1',
      format: 'DatasetRef',
      initial: ref || knownRefs(model)[0]
    }
  });
  return {
    title: 'Validate a data set',
    schema,
    send: 'Validate',
    all: true,
    offers: offers(model),
    onSend: values => model.begin('validate', values, path)
  };
}

/** The data set that a notebook takes: as its parameters cell stands now, if it is saved; else ''. */
async function refOf(model: IMlops, panel: NotebookPanel): Promise<string> {
  try {
    await saved(panel);
    const { parameters, dataset } = await model.request.schema(panel.context.path);
    if (!dataset) {
      return '';
    }
    for (const one of Object.values(fields(parameters.properties))) {
      const value = text(fields(one).default);
      if (value.startsWith(`${dataset}@`)) {
        return value;
      }
    }
  } catch {
    // no parameters, or a notebook that cannot be read: the form asks
  }
  return '';
}

async function saved(panel: NotebookPanel): Promise<void> {
  if (panel.context.model.dirty) {
    await panel.context.save();
  }
}

async function runNotebook(model: IMlops, panel: NotebookPanel | null, train: boolean): Promise<void> {
  if (!panel) {
    return;
  }
  const path = panel.context.path;
  let schema: Fields = {};
  let refused = '';
  try {
    await saved(panel);
    schema = (await model.request.schema(path)).parameters;
  } catch (problem) {
    refused = problem instanceof Error ? problem.message : String(problem);
  }
  await listOf(model, 'datasets');
  const devices = model.slot('status').value?.devices ?? [];
  const asked = train ? withDevice(schema, devices) : schema;
  const title = train ? 'Train' : 'Run as step';
  await ask({
    title: `${title}: ${path.split('/').pop()}`,
    about: refused || text(schema.description),
    schema: asked,
    send: train ? 'Train' : 'Run',
    offers: offers(model),
    given: { ...presentData(model, schema), ...lastTried(model, path) },
    onSend: values => {
      if (refused) {
        throw new Error(refused);
      }
      const { [DEVICE]: device, ...parameters } = values;
      return model.begin('run', { notebook: path, parameters, ...(train ? { device } : {}) }, path);
    }
  });
}

/** What a run of this notebook was given that did not get to its end. */
function lastTried(model: IMlops, path: string): Fields {
  const last = model.jobsOf(path)[0];
  return last && ['failed', 'stopped'].includes(last.status) ? fields(last.arguments.parameters) : {};
}

/** For a default that names no data set of this workspace, one that does. */
function presentData(model: IMlops, schema: Fields): Fields {
  const names = new Set((model.slot('datasets').value ?? []).map(one => one.name));
  const known = knownRefs(model);
  const absent = Object.entries(fields(schema.properties)).filter(([, property]) => {
    const { format, default: initial } = fields(property);
    return format === 'DatasetRef' && text(initial) !== '' && !names.has(text(initial).split('@')[0] ?? '');
  });
  return known[0] ? Object.fromEntries(absent.map(([name]) => [name, known[0]])) : {};
}

const DEVICE = ' device'; // no parameter can be called so

function withDevice(schema: Fields, devices: readonly { readonly id: string; readonly label: string }[]): Fields {
  const known = devices.length ? devices : [{ id: 'cpu', label: 'CPU' }];
  const best = known[known.length - 1]?.id; // graphics cards come after the processor
  const own = schemaOf({
    [DEVICE]: { title: 'Device', description: 'what computes', choices: known, initial: best }
  });
  return {
    ...schema,
    properties: { ...fields(own.properties), ...fields(schema.properties) },
    required: [DEVICE, ...(Array.isArray(schema.required) ? schema.required : [])]
  };
}

/** What can be registered from a notebook: what its runs made comes first. */
function registering(model: IMlops, path: string | undefined, bundle: string): IAsk {
  const runs = model.slot('runs').value ?? [];
  const jobs = path === undefined ? [] : model.jobsOf(path);
  const ours = jobs.flatMap(job => runs.filter(run => run.id === job.run));
  const made = ours.flatMap(run => run.steps.flatMap(step => bundlesIn(step.outputs)));
  const said = knownBundles(model);
  const known = [...new Set([...(bundle ? [bundle] : []), ...made, ...said.keys()])];
  const choices = known.map(id => ({ id, label: [short(id), said.get(id)].filter(Boolean).join(', ') }));
  const job = jobs[0];
  const named = text(fields(job?.arguments.parameters).name) || (model.slot('models').value?.[0]?.name ?? '');
  const schema = schemaOf({
    bundle: {
      title: 'Bundle',
      description: 'what a training step made',
      initial: known[0],
      ...(known.length > 0 && { choices })
    },
    name: { title: 'Name', description: 'of the model; a new version of it is made', initial: named || 'signs' }
  });
  return {
    title: 'Register a model',
    about: known.length ? undefined : 'No run has made a bundle yet. Train first, or write the id of one.',
    schema,
    send: 'Register',
    all: true,
    onSend: values => model.begin('register', values, path)
  };
}
