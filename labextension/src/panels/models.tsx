import * as React from 'react';

import { Id } from '../commands/ids';
import { Act, Badge, counted, Empty, Fold, FromTemplate, Guarded, short, Standing, useSlot, When, type IEnv } from '../parts';
import type { IDecision, IModel, IModelVersion, IProposal } from '../tokens';

/** Models: versions, aliases, verdicts with their reasons, proposals. */
export function ModelsSection(env: IEnv): JSX.Element {
  const slot = useSlot(env.model, 'models');
  const actor = useSlot(env.model, 'status').value?.actor ?? '';
  return (
    <>
      <Standing slot={slot} of="models" />
      {slot.value && actor && (
        <p className="mlops-Dim">
          You are <strong>{actor}</strong>.
        </p>
      )}
      {slot.value?.length === 0 && (
        <Empty>
          No model is registered yet. Train one with <b>Train</b> in the toolbar of a training notebook, then press{' '}
          <b>Register</b>. <FromTemplate commands={env.commands} />
        </Empty>
      )}
      {slot.value?.map(one => (
        <Guarded key={one.name} of={one.name}>
          <Model {...env} one={one} actor={actor} />
        </Guarded>
      ))}
    </>
  );
}

function Model({ model, commands, one, actor }: IEnv & { one: IModel; actor: string }): JSX.Element {
  const [newest, ...older] = one.versions;
  return (
    <article className="mlops-Card" aria-label={`Model ${one.name}`} data-testid={`mlops-model-${one.name}`}>
      <header>
        <h3>{one.name}</h3>
        <span className="mlops-Dim">
          staging {one.staging ?? 'none'} · production {one.production ?? 'none'}
        </span>
      </header>
      <div className="mlops-Acts">
        {(['staging', 'production'] as const).map(
          alias =>
            one.returns[alias] !== null && (
              <Act
                key={alias}
                label={`Roll back ${one.name} in ${alias} to ${one.returns[alias]}`}
                onAct={() => commands.execute(Id.rollback, { name: one.name, alias })}
              >
                Roll back {alias} to {one.returns[alias]}
              </Act>
            )
        )}
      </div>
      {newest && <Version {...{ model, commands, one, actor }} version={newest} />}
      {older.length > 0 && (
        <Fold summary={counted(older.length, 'older version')}>
          {() => older.map(version => <Version key={version.version} {...{ model, commands, one, actor, version }} />)}
        </Fold>
      )}
    </article>
  );
}

interface IVersionProps extends IEnv {
  readonly one: IModel;
  readonly version: IModelVersion;
  readonly actor: string;
}

function Version({ commands, one, version, actor }: IVersionProps): JSX.Element {
  const ref = `${one.name}@${version.version}`;
  const approved = version.proposals.find(proposal => proposal.status === 'approved');
  return (
    <section
      className="mlops-Version"
      aria-label={`Version ${version.version} of ${one.name}`}
      data-testid={`mlops-version-${ref}`}
      tabIndex={-1}
    >
      <div className="mlops-Step-line">
        <strong>version {version.version}</strong>
        {version.aliases.map(alias => (
          <span key={alias} className="mlops-Tag">
            {alias}
          </span>
        ))}
        {version.decision ? <Badge says={version.decision.verdict} /> : <Badge says="not judged" />}
      </div>
      <p className="mlops-Dim">
        {version.by}, <When at={version.at} /> · <span title={version.bundle}>{short(version.bundle)}</span>
        {version.data && ` · from ${short(version.data)}`}
      </p>
      <Decision
        commands={commands}
        decision={version.decision}
        waits={version.proposals.some(proposal => proposal.status === 'open')}
      />
      {version.proposals.map(proposal => (
        <Proposal key={proposal.id} {...{ commands, proposal, actor }} />
      ))}
      <div className="mlops-Acts">
        {version.decision?.verdict !== 'pass' && (
          <Act
            kind={version.decision ? 'plain' : 'main'}
            label={`Judge ${ref}`}
            onAct={() => commands.execute(Id.judge, { bundle: version.bundle })}
          >
            {version.decision ? 'Judge again' : 'Judge'}
          </Act>
        )}
        {version.decision?.verdict === 'pass' && version.proposals.every(one => one.status === 'rejected') && (
          <Act
            kind="main"
            label={`Propose ${ref}`}
            onAct={() => commands.execute(Id.propose, { bundle: version.bundle })}
          >
            Propose
          </Act>
        )}
        {approved && !version.aliases.includes('production') && (
          <Act
            kind={version.aliases.length ? 'plain' : 'main'}
            label={`Promote ${ref}`}
            onAct={() =>
              commands.execute(Id.promote, {
                name: one.name,
                version: version.version,
                proposal: approved.id,
                alias: version.aliases.includes('staging') ? 'production' : 'staging'
              })
            }
          >
            Promote
          </Act>
        )}
        <Act label={`Deploy ${ref}`} onAct={() => commands.execute(Id.deploy, { ref })}>
          Deploy
        </Act>
        <Act label={`Lineage of ${ref}`} onAct={() => commands.execute(Id.lineage, { of: version.bundle })}>
          Lineage
        </Act>
      </div>
    </section>
  );
}

interface IDecisionProps {
  readonly commands: IEnv['commands'];
  readonly decision: IDecision | null;
  /** Is somebody to say yes or no to it? */
  readonly waits: boolean;
}

function Decision({ commands, decision, waits }: IDecisionProps): JSX.Element {
  if (decision === null) {
    return (
      <p className="mlops-Dim">Not judged yet: press Judge to evaluate it beside what is in staging.</p>
    );
  }
  return (
    <Fold
      key={String(waits)}
      summary={`Decision: ${decision.verdict.replace(/_/g, ' ')}`}
      open={waits || decision.verdict !== 'pass'}
    >
      {() => (
        <>
          <ul className="mlops-List">
            {decision.reasons.map((reason, at) => (
              <li key={at}>{reason}</li>
            ))}
          </ul>
          {decision.run && (
            <Act
              title="The evaluation behind it, slice by slice"
              onAct={() => commands.execute(Id.openNotebook, { id: decision.run, step: decision.step })}
            >
              Report
            </Act>
          )}
        </>
      )}
    </Fold>
  );
}

interface IProposalProps {
  readonly commands: IEnv['commands'];
  readonly proposal: IProposal;
  readonly actor: string;
}

function Proposal({ commands, proposal, actor }: IProposalProps): JSX.Element {
  const own = proposal.by === actor;
  return (
    <div className="mlops-Proposal">
      <div className="mlops-Step-line">
        <strong>Proposal</strong> <Badge says={proposal.status} />
        <span className="mlops-Dim">
          {proposal.by}, <When at={proposal.at} />
          {proposal.approved_by && ` · approved by ${proposal.approved_by}`}
        </span>
      </div>
      <p>{proposal.summary}</p>
      {proposal.status === 'open' && own && (
        <p className="mlops-Note">
          You proposed it, so somebody else must approve it: ask a colleague to open this panel under their own name.
        </p>
      )}
      {proposal.status === 'open' && (
        <div className="mlops-Acts">
          {!own && (
            <Act
              kind="main"
              label={`Approve the proposal of ${proposal.by}`}
              onAct={() => commands.execute(Id.approve, { proposal: proposal.id })}
            >
              Approve
            </Act>
          )}
          <Act
            label={own ? 'Withdraw your proposal' : `Reject the proposal of ${proposal.by}`}
            onAct={() => commands.execute(Id.reject, { proposal: proposal.id })}
          >
            {own ? 'Withdraw' : 'Reject'}
          </Act>
        </div>
      )}
    </div>
  );
}
