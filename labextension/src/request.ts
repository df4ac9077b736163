import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { fields, many, maybe, text, type Fields } from './reading';
import {
  readClassified,
  readDataset,
  readDeployment,
  readJob,
  readLineage,
  readModel,
  readDifference,
  readQuarantined,
  readRun,
  readSchema,
  readStatus,
  readTemplate
} from './shapes';
import type { IRequest, ISnapshots, Kept } from './tokens';

/** The server said no: its message tells what happened and what to do. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly kind: string
  ) {
    super(message);
  }
}

type Query = Readonly<Record<string, string>>;

async function answer(response: Response): Promise<unknown> {
  const said = await response.text();
  let value: unknown = null;
  try {
    value = JSON.parse(said);
  } catch {
    if (response.ok) {
      throw new Refused('The server answered something that is no JSON. Reload the page.', response.status, '');
    }
  }
  if (!response.ok) {
    const problem = fields(value);
    const absent =
      response.status === 404 && problem.kind === undefined
        ? 'The server does not know this question of mlops-nb. Reinstall mlops_nb and restart JupyterLab.'
        : `The server answered ${response.status} ${response.statusText}. Look at its log.`;
    throw new Refused(text(problem.message) || absent, response.status, text(problem.kind));
  }
  return value;
}

/** The only place of the front end that talks to the network. */
export function requests(settings: ServerConnection.ISettings): IRequest {
  const root = URLExt.join(settings.baseUrl, 'mlops-nb');

  async function ask(path: string, init: RequestInit, query: Query = {}): Promise<unknown> {
    const url = URLExt.join(root, path) + (Object.keys(query).length ? URLExt.objectToQueryString({ ...query }) : '');
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, settings);
    } catch (problem) {
      throw new Refused('The server does not answer. Is it still running?', 0, String(problem));
    }
    return answer(response);
  }
  const get = (path: string, query?: Query) => ask(path, { method: 'GET' }, query);
  const listed = async <T>(path: string, read: (one: Fields) => T, query?: Query) => {
    const said = await get(path, query);
    return Array.isArray(said) ? said.map(one => read(fields(one))) : [read({})];
  };
  const read: { [K in Kept]: (one: Fields) => ISnapshots[K][number] } = {
    datasets: readDataset,
    models: readModel,
    deployments: readDeployment
  };
  const post = (path: string, body: Fields) => ask(path, { method: 'POST', body: JSON.stringify(body) });
  const models = async (path: string, body: Fields) => many(await post(path, body), readModel);
  const deployments = async (path: string, body: Fields) => many(await post(path, body), readDeployment);
  const quietly = async (path: string, body: Fields) => void (await post(path, body));

  return {
    status: async () => readStatus(fields(await get('status'))),
    runs: async before => listed('runs', readRun, before ? { before } : {}),
    log: async (id, step) => text(fields(await get('runs/log', { id, step })).text),
    page: async (id, step) => text(fields(await get('runs/page', { id, step })).html),
    cancel: id => quietly('runs/cancel', { id }),
    jobs: async () => listed('jobs', readJob),
    begin: async (verb, args) => readJob(fields(await post('jobs', { verb, arguments: args }))),
    jobLog: async id => text(fields(await get('jobs/log', { id })).text),
    stopJob: id => quietly('jobs/stop', { id }),
    kept: async <K extends Kept>(of: K) =>
      maybe(await get('kept', { of }), said => ({
        at: text(said.at),
        value: many<ISnapshots[K][number]>(said.value, read[of]) as readonly unknown[] as ISnapshots[K]
      })),
    datasets: async () => listed('datasets', readDataset),
    quarantine: async name => many(await get('datasets/quarantine', { name }), readQuarantined),
    release: (name, quarantine_id, reason) => quietly('datasets/release', { name, quarantine_id, reason }),
    tag: (ref, tag) => quietly('datasets/tag', { ref, tag }),
    fork: (ref, branch) => quietly('datasets/fork', { ref, branch }),
    difference: async (before, after) => readDifference(fields(await get('datasets/diff', { before, after }))),
    models: async () => listed('models', readModel),
    propose: (bundle, baseline, summary) =>
      models('models/propose', { bundle, summary, ...(baseline ? { baseline } : {}) }),
    judge: (verdict, proposal, comment) => models(`models/${verdict}`, { proposal, comment }),
    promote: (name, version, alias, proposal) => models('models/promote', { name, version, alias, proposal }),
    rollback: (name, alias) => models('models/rollback', { name, alias }),
    deployments: async () => listed('deployments', readDeployment),
    stopDeployment: name => deployments('deployments/stop', { name }),
    check: name => deployments('deployments/check', { name }),
    acknowledge: (id, comment) => deployments('alerts/acknowledge', { id, comment }),
    classify: async (name, images) => many(await post('deployments/classify', { name, images }), readClassified),
    answers: async url => {
      try {
        return (await ServerConnection.makeRequest(url, { method: 'GET' }, settings)).ok;
      } catch {
        return false;
      }
    },
    lineage: async of => readLineage(fields(await get('lineage', { of }))),
    text: async id => {
      const said = fields(await get('text', { id }));
      return { text: text(said.text), whole: said.whole !== false, picture: text(said.picture) };
    },
    schema: async notebook => readSchema(fields(await get('schema', { notebook }))),
    templates: async () => many(await get('templates'), readTemplate),
    copyTemplate: async (name, path) => text(fields(await post('templates', { name, path })).path)
  };
}
