import { Notification, showErrorMessage } from '@jupyterlab/apputils';

import { ago } from '../parts';
import { text, type Fields } from '../reading';
import type { IMlops, ISnapshots, Kept } from '../tokens';

/** One property of the JSON Schema of a question that this front end asks itself. */
export interface IProperty {
  readonly title: string;
  readonly type?: 'string' | 'number' | 'array';
  readonly description?: string;
  readonly format?: string;
  readonly choices?: readonly (string | { readonly id: string; readonly label: string })[];
  readonly initial?: string | number;
  readonly empty?: boolean;
  /** Asked only of those who open "More". */
  readonly more?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The JSON Schema of a few questions; each must be answered unless it may stay empty or is among the further ones. */
export function schemaOf(properties: Readonly<Record<string, IProperty>>): Fields {
  const written = Object.entries(properties).map(([name, one]) => [
    name,
    {
      type: one.type ?? 'string',
      title: one.title,
      more: one.more,
      minimum: one.minimum,
      maximum: one.maximum,
      description: one.description ?? '',
      format: one.format,
      default: one.initial,
      ...(one.empty && one.type === 'number' && { anyOf: [{ type: 'number', minimum: one.minimum, maximum: one.maximum }, { type: 'null' }] }),
      ...(one.type === 'array' && { items: { type: 'string' } }),
      ...(one.choices && {
        enum: one.choices.map(choice => (typeof choice === 'string' ? choice : choice.id)),
        labels: one.choices.map(choice => (typeof choice === 'string' ? choice : choice.label))
      })
    }
  ]);
  const required = Object.entries(properties).filter(([, one]) => !one.empty && !one.more);
  return { properties: Object.fromEntries(written), required: required.map(([name]) => name) };
}

/** Do something short; what goes wrong is told where all see it. */
export async function attempt(what: () => Promise<unknown>): Promise<void> {
  try {
    await what();
  } catch (problem) {
    tellProblem(problem instanceof Error ? problem.message : String(problem));
  }
}

/** Say that something short is done; longer work says so itself when it ends. */
export const tellDone = (said: string): string => Notification.success(said, { autoClose: 4000 });

const TOAST_CHARS = 140; // JupyterLab cuts a notification there

/** Tell what went wrong, all of it: the remedy stands at the end. */
function tellProblem(said: string): void {
  if (said.length > TOAST_CHARS) {
    void showErrorMessage('This could not be done', said);
  } else {
    Notification.error(said, { autoClose: false });
  }
}

/** What is known of a topic; the server is asked where nothing is yet. */
export async function listOf<K extends Kept>(model: IMlops, topic: K): Promise<ISnapshots[K] | readonly never[]> {
  if (model.slot(topic).value === null || model.slot(topic).asOf) {
    await model.refresh(topic);
  }
  return model.slot(topic).value ?? [];
}

/** References to data sets that can be meant, newest first. */
export function knownRefs(model: IMlops): string[] {
  const datasets = model.slot('datasets').value ?? [];
  return datasets.flatMap(one => [
    ...one.tags.map(tag => `${one.name}@${tag}`),
    ...one.branches.map(branch => `${one.name}@${branch.name}`)
  ]);
}

/** What the bundles of registered models are called, such as signs@3. */
export function modelNames(model: IMlops): Map<string, string> {
  const models = model.slot('models').value ?? [];
  return new Map(models.flatMap(one => one.versions.map(version => [version.bundle, `${one.name}@${version.version}`])));
}

/** Bundles that can be meant, and what is known of them: those of runs, newest first, then those of models. */
export function knownBundles(model: IMlops): Map<string, string> {
  const made = (model.slot('runs').value ?? []).flatMap(run =>
    run.steps.flatMap(step =>
      bundlesIn(step.outputs).map(id => [id, `made by ${step.name}, ${ago(run.began_at, Date.now())}`] as const)
    )
  );
  const known = new Map<string, string>();
  [...made, ...modelNames(model)].forEach(([id, said]) => known.set(id, known.has(id) ? `${known.get(id)}, ${said}` : said));
  return known;
}

/** Ids of bundles among the outputs of a step. */
export function bundlesIn(outputs: Fields): string[] {
  return Object.values(outputs)
    .map(text)
    .filter(value => value.startsWith('bundle:'));
}

/** Models as they can be deployed: by alias first, then by version. */
export function knownModels(model: IMlops): string[] {
  return (model.slot('models').value ?? []).flatMap(one => [
    ...new Set(one.versions.flatMap(version => version.aliases.map(alias => `${one.name}@${alias}`))),
    ...one.versions.map(version => `${one.name}@${version.version}`)
  ]);
}

/** Texts to offer in a form, by the format of the question. */
export function offers(model: IMlops): Readonly<Record<string, readonly string[]>> {
  return { DatasetRef: knownRefs(model), BundleId: [...knownBundles(model).keys()], ModelRef: knownModels(model) };
}
