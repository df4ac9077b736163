import * as React from 'react';

import { Id } from '../commands/ids';
import { Act, Badge, counted, Empty, Fold, Guarded, Problem, Standing, useSlot, When, type IEnv } from '../parts';
import type { IDataset, IJob, IQuarantined } from '../tokens';
import { JobCard } from './runs';

/** Data sets: versions, branches, what the checks found, what is in quarantine. */
export function DataSection(env: IEnv): JSX.Element {
  const slot = useSlot(env.model, 'datasets');
  const jobs = useSlot(env.model, 'jobs').value ?? [];
  const growing = jobs.filter(job => job.status === 'running' && GROWING.has(job.verb));
  return (
    <>
      <Standing slot={slot} of="data sets" />
      {growing.map(job => (
        <JobCard key={job.id} {...env} job={job} />
      ))}
      {slot.value?.length === 0 && (
        <Empty>
          No data set yet. Bring images in from a folder that the file browser shows, or run <code>mlops-nb demo</code> in a
          terminal.
        </Empty>
      )}
      {slot.value?.map(one => (
        <Guarded key={one.name} of={one.name}>
          <Dataset {...env} dataset={one} job={validating(jobs, one.name)} />
        </Guarded>
      ))}
      {slot.value && (
        <div className="mlops-Acts mlops-Foot">
          <Act kind={slot.value.length ? 'plain' : 'main'} onAct={() => env.commands.execute(Id.ingest)}>
            Ingest a folder …
          </Act>
        </div>
      )}
    </>
  );
}

const GROWING = new Set(['ingest', 'split', 'merge']);

const validating = (jobs: readonly IJob[], name: string) =>
  jobs.find(
    job =>
      job.verb === 'validate' && job.status === 'running' && String(job.arguments.ref).split('@')[0] === name
  );

interface IDatasetProps extends IEnv {
  readonly dataset: IDataset;
  readonly job: IJob | undefined;
}

function Dataset({ model, commands, dataset, job }: IDatasetProps): JSX.Element {
  const { name } = dataset;
  const newest = dataset.tags[0];
  const ref = dataset.versions[0]?.ref || `${name}@${newest ?? 'main'}`;
  return (
    <article className="mlops-Card" aria-label={`Data set ${name}`}>
      <header>
        <h3>{name}</h3>
        <span className="mlops-Dim">
          version {dataset.version} · {counted(dataset.samples, 'sample')}
        </span>
      </header>
      <p>
        {dataset.tags.map(tag => (
          <span key={tag} className="mlops-Tag">
            {tag}
          </span>
        ))}
        <Checked dataset={dataset} job={job} />
      </p>
      <div className="mlops-Acts">
        <Act label={`Validate ${name}`} onAct={() => commands.execute(Id.validate, { ref })}>
          Validate
        </Act>
        <Act label={`Browse ${name}`} onAct={() => commands.execute(Id.browse, { ref })}>
          Browse
        </Act>
        <Act label={`Lineage of ${name}`} onAct={() => commands.execute(Id.lineage, { of: ref })}>
          Lineage
        </Act>
        <Act label={`Split ${name}`} onAct={() => commands.execute(Id.split, { name })}>
          Split
        </Act>
        <Act label={`Tag ${name}`} onAct={() => commands.execute(Id.tag, { ref })}>
          Tag
        </Act>
        <Act label={`Fork ${name}`} onAct={() => commands.execute(Id.fork, { ref })}>
          Fork
        </Act>
      </div>
      {dataset.findings.length > 0 && (
        <Fold summary={`${counted(dataset.findings.length, 'finding')} of the checks${checkedBefore(dataset)}`}>
          {() => <Findings dataset={dataset} />}
        </Fold>
      )}
      {dataset.quarantined > 0 && (
        <Fold summary={`${dataset.quarantined} in quarantine`}>
          {() => <Quarantine {...{ model, commands, name }} known={dataset.quarantined} />}
        </Fold>
      )}
      <Fold summary={`${counted(dataset.versions.length, 'version')}, ${counted(dataset.branches.length, 'branch')}`}>
        {() => <Versions {...{ model, commands, dataset }} />}
      </Fold>
    </article>
  );
}

/** Findings stay until the next checks; what they are about may not be the newest version. */
const checkedBefore = ({ checked, version }: IDataset) =>
  checked && checked.version !== version ? ` of version ${checked.version}` : '';

function Checked({ dataset, job }: { dataset: IDataset; job: IJob | undefined }): JSX.Element {
  if (job) {
    return <Badge says="running" />;
  }
  const { checked } = dataset;
  if (checked === null || checked.version !== dataset.version) {
    return <span className="mlops-Dim">version {dataset.version} is not checked yet: press Validate</span>;
  }
  return (
    <>
      <Badge says={checked.errors ? 'error' : checked.warnings ? 'warning' : 'ok'} />{' '}
      <span className="mlops-Dim">
        {counted(checked.errors, 'error')}, {counted(checked.warnings, 'warning')}, <When at={checked.at} />
        {dataset.contract ? ', by contract' : ''}
      </span>
    </>
  );
}

const SEVERITIES: Readonly<Record<string, string>> = { E: 'error', W: 'warning', I: 'note' };

function Findings({ dataset }: { dataset: IDataset }): JSX.Element {
  return (
    <ul className="mlops-List">
      {dataset.findings.map((finding, at) => (
        <li key={at}>
          <Badge says={SEVERITIES[finding.severity] ?? finding.severity} /> <strong>{finding.check}</strong> ({finding.count}) {finding.sentence}
        </li>
      ))}
    </ul>
  );
}

function Quarantine({ model, commands, name, known }: IEnv & { name: string; known: number }): JSX.Element {
  const [found, setFound] = React.useState<readonly IQuarantined[] | null>(null);
  const [problem, setProblem] = React.useState('');
  React.useEffect(() => {
    let here = true;
    model.request.quarantine(name).then(
      value => here && (setFound(value), setProblem('')),
      error => here && setProblem(error instanceof Error ? error.message : String(error))
    );
    return () => void (here = false);
  }, [model, name, known]);
  if (problem) {
    return <Problem text={problem} />;
  }
  return (
    <ul className="mlops-List" aria-busy={found === null}>
      {found?.slice(0, 100).map(one => (
        <li key={one.id}>
          <strong>{one.check}</strong> <span title={one.sample_id}>{one.source}</span>: {one.reason}{' '}
          <Act
            kind="link"
            label={`Release ${one.source}`}
            onAct={() => commands.execute(Id.release, { name, id: one.id })}
          >
            Release
          </Act>
        </li>
      ))}
      {found && found.length > 100 && <li>and {found.length - 100} more: look at them with Browse</li>}
    </ul>
  );
}

function Versions({ model, commands, dataset }: IEnv & { dataset: IDataset }): JSX.Element {
  return (
    <>
      <ul className="mlops-List">
        {dataset.branches.map(branch => (
          <Branch key={branch.name} {...{ model, commands }} of={dataset.name} {...branch} />
        ))}
        {dataset.versions.map((version, at) => (
          <li key={at}>
            <strong>{version.tags.join(', ') || version.version}</strong> {counted(version.samples, 'sample')} by {version.by},{' '}
            <When at={version.at} />{' '}
            <Act
              kind="link"
              label={`Browse ${version.ref}`}
              onAct={() => commands.execute(Id.browse, { ref: version.ref })}
            >
              Browse
            </Act>{' '}
            <Act
              kind="link"
              label={`Lineage of ${version.ref}`}
              onAct={() => commands.execute(Id.lineage, { of: version.ref })}
            >
              Lineage
            </Act>
          </li>
        ))}
      </ul>
    </>
  );
}

interface IBranchProps extends IEnv {
  readonly of: string;
  readonly name: string;
  readonly version: number;
}

function Branch({ commands, of, name, version }: IBranchProps): JSX.Element {
  const ref = `${of}@${name}`;
  return (
    <li>
      <span className="mlops-Tag">{name}</span> branch, version {version}{' '}
      <Act kind="link" label={`Merge ${ref}`} onAct={() => commands.execute(Id.merge, { ref })}>
        Merge
      </Act>{' '}
      <Act kind="link" label={`Validate ${ref}`} onAct={() => commands.execute(Id.validate, { ref })}>
        Validate
      </Act>{' '}
      <Act kind="link" label={`Browse ${ref}`} onAct={() => commands.execute(Id.browse, { ref })}>
        Browse
      </Act>
    </li>
  );
}
