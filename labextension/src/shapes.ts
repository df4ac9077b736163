import type {
  IClassified,
  IDataset,
  IDeed,
  IDeployment,
  IJob,
  ILineage,
  IModel,
  IModelVersion,
  INotebookSchema,
  IDifference,
  IQuarantined,
  IRunState,
  IShift,
  IStatus,
  ITemplate,
  ITold
} from './tokens';
import { count, countOrNull, fields, many, maybe, text, texts, type Fields } from './reading';

export const readStatus = (one: Fields): IStatus => ({
  version: text(one.version),
  build: text(one.build),
  workspace: text(one.workspace),
  actor: text(one.actor),
  running: count(one.running),
  alerts: countOrNull(one.alerts),
  devices: many(one.devices, device => ({ id: text(device.id), label: text(device.label) })),
  told: readTold(fields(one.told))
});

export const readTold = (one: Fields): ITold => ({ start: text(one.start), number: count(one.number) });

export const readRun = (one: Fields): IRunState => ({
  id: text(one.id),
  status: text(one.status),
  by: text(one.by),
  kind: text(one.kind),
  parent: text(one.parent),
  began_at: text(one.began_at),
  ended_at: text(one.ended_at),
  stop_by: text(one.stop_by),
  lines: count(one.lines),
  steps: many(one.steps, step => ({
    name: text(step.name),
    status: text(step.status),
    cells: count(step.cells),
    of: count(step.of),
    seconds: count(step.seconds),
    tries: count(step.tries),
    error: text(step.error),
    notebook: text(step.notebook),
    outputs: fields(step.outputs)
  }))
});

export const readJob = (one: Fields): IJob => ({
  id: text(one.id),
  verb: text(one.verb),
  arguments: fields(one.arguments),
  by: text(one.by),
  status: text(one.status),
  began_at: text(one.began_at),
  ended_at: text(one.ended_at),
  done: count(one.done),
  total: countOrNull(one.total),
  said: text(one.said),
  result: maybe(one.result, result => result),
  error: one.status === 'failed' ? text(one.error) : '', // who stopped it knows why it ended
  run: text(one.run),
  stopped_by: text(one.stopped_by)
});

export const readDataset = (one: Fields): IDataset => ({
  name: text(one.name),
  samples: count(one.samples),
  version: count(one.version),
  digest: text(one.digest),
  tags: texts(one.tags),
  branches: many(one.branches, branch => ({ name: text(branch.name), version: count(branch.version) })),
  versions: many(one.versions, version => ({
    version: count(version.version),
    ref: text(version.ref),
    tags: texts(version.tags),
    at: text(version.at),
    by: text(version.by),
    samples: count(version.samples)
  })),
  checked: maybe(one.checked, checked => ({
    version: count(checked.version),
    at: text(checked.at),
    errors: count(checked.errors),
    warnings: count(checked.warnings)
  })),
  findings: many(one.findings, finding => ({
    check: text(finding.check),
    severity: text(finding.severity),
    count: count(finding.count),
    sentence: text(finding.sentence)
  })),
  quarantined: count(one.quarantined),
  contract: one.contract === true
});

export const readDifference = (one: Fields): IDifference => ({
  added: count(one.added),
  removed: count(one.removed),
  changed: count(one.changed),
  fields: many(one.fields, each => ({ field: text(each.field), count: count(each.count) }))
});

export const readQuarantined = (one: Fields): IQuarantined => ({
  id: text(one.id),
  sample_id: text(one.sample_id),
  source: text(one.source) || text(one.sample_id),
  check: text(one.check),
  reason: text(one.reason),
  at: text(one.at)
});

const readVersion = (one: Fields): IModelVersion => ({
  version: count(one.version),
  bundle: text(one.bundle),
  aliases: texts(one.aliases),
  by: text(one.by),
  at: text(one.at),
  run: text(one.run),
  data: text(one.data),
  decision: maybe(one.decision, decision => ({
    verdict: text(decision.verdict),
    reasons: texts(decision.reasons),
    report: text(decision.report),
    run: text(decision.run),
    step: text(decision.step)
  })),
  proposals: many(one.proposals, proposal => ({
    id: text(proposal.id),
    status: text(proposal.status),
    by: text(proposal.by),
    summary: text(proposal.summary),
    at: text(proposal.at),
    approved_by: text(proposal.approved_by)
  }))
});

const readAliases = (one: Fields) => ({ staging: countOrNull(one.staging), production: countOrNull(one.production) });

export const readModel = (one: Fields): IModel => ({
  name: text(one.name),
  versions: many(one.versions, readVersion),
  ...readAliases(one),
  returns: readAliases(fields(one.returns))
});

const readShift = (one: Fields): IShift => ({
  frames: count(one.frames),
  clips: count(one.clips),
  windows: many(one.windows, window => ({
    frame: count(window.frame),
    evidence: count(window.evidence),
    threshold: count(window.threshold)
  })),
  reference: text(one.reference)
});

export const readDeployment = (one: Fields): IDeployment => {
  const latency = fields(one.latency_ms);
  return {
    name: text(one.name),
    url: text(one.url),
    bundle: text(one.bundle),
    model: text(one.model),
    alive: one.alive === true,
    ready: one.ready === true,
    started_at: text(one.started_at),
    requests: count(one.requests),
    latency_ms: {
      p50: countOrNull(latency.p50),
      p95: countOrNull(latency.p95),
      p99: countOrNull(latency.p99)
    },
    shift: maybe(one.shift, readShift),
    alerts: many(one.alerts, alert => ({
      id: text(alert.id),
      level: text(alert.level),
      at: text(alert.at),
      sentence: text(alert.sentence),
      at_frame: countOrNull(alert.at_frame),
      acknowledged_by: text(alert.acknowledged_by),
      comment: text(alert.comment)
    }))
  };
};

export const readClassified = (one: Fields): IClassified => ({
  image: text(one.image),
  image_id: text(one.image_id),
  label: text(one.label),
  score: count(one.score),
  confident: one.confident === true,
  latency_ms: count(one.latency_ms)
});

const readDeed = (one: Fields): IDeed => ({ at: text(one.at), by: text(one.by), verb: text(one.verb) });

export const readLineage = (one: Fields): ILineage => ({
  root: text(one.root),
  nodes: many(one.nodes, node => {
    const opens = fields(node.opens);
    return {
      id: text(node.id),
      kind: text(node.kind),
      label: text(node.label),
      layer: count(node.layer),
      made: many(node.made, readDeed),
      done: many(node.done, act => ({ ...readDeed(act), said: text(act.said) })),
      opens: { type: text(opens.type), target: text(opens.target), step: text(opens.step) }
    };
  }),
  edges: many(one.edges, edge => ({
    source: text(edge.source),
    target: text(edge.target),
    ...readDeed(edge)
  }))
});

export const readSchema = (one: Fields): INotebookSchema => ({
  parameters: fields(one.parameters),
  outputs: fields(one.outputs),
  dataset: text(one.dataset)
});

export const readTemplate = (one: Fields): ITemplate => ({
  name: text(one.name),
  title: text(one.title),
  about: text(one.about)
});
