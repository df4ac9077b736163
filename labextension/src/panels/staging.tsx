import * as React from 'react';

import { Id } from '../commands/ids';
import { Act, Badge, Empty, Guarded, short, Standing, useSlot, When, type IEnv } from '../parts';
import { ShiftChart } from '../staging/chart';
import type { IAlert, IDeployment } from '../tokens';

/** What is deployed: health, latency, shift, alerts. */
export function StagingSection(env: IEnv): JSX.Element {
  const slot = useSlot(env.model, 'deployments');
  return (
    <>
      <Standing slot={slot} of="deployments" />
      {slot.value?.length === 0 && (
        <Empty>
          Nothing is deployed. Register a model, then press <b>Deploy</b> beside its version, or here.{' '}
          <Act kind="main" onAct={() => env.commands.execute(Id.deploy)}>
            Deploy to staging …
          </Act>
        </Empty>
      )}
      {slot.value?.map(one => (
        <Guarded key={one.name} of={one.name}>
          <Deployment {...env} one={one} />
        </Guarded>
      ))}
    </>
  );
}

function Deployment({ commands, one }: IEnv & { one: IDeployment }): JSX.Element {
  const { name } = one;
  const health = one.ready ? 'ready' : one.alive ? 'starting' : 'down';
  const open = one.alerts.filter(alert => alert.acknowledged_by === '');
  const seen = one.alerts.filter(alert => alert.acknowledged_by !== '');
  const { p50, p95, p99 } = one.latency_ms;
  const ms = (value: number | null) => (value === null ? '–' : value.toFixed(1));
  return (
    <article className="mlops-Card" aria-label={`Deployment ${name}`} data-testid={`mlops-deployment-${name}`}>
      <header>
        <h3>{name}</h3>
        <Badge says={health} />
      </header>
      <p>
        <strong>{one.model || short(one.bundle)}</strong>{' '}
        <span className="mlops-Dim">
          since <When at={one.started_at} /> {one.alive ? `· ${one.url}` : '· no process answers'}
        </span>
      </p>
      <dl className="mlops-Facts">
        <div>
          <dt>requests</dt>
          <dd>{one.requests}</dd>
        </div>
        <div>
          <dt>p50 ms</dt>
          <dd>{ms(p50)}</dd>
        </div>
        <div>
          <dt>p95 ms</dt>
          <dd>{ms(p95)}</dd>
        </div>
        <div>
          <dt>p99 ms</dt>
          <dd>{ms(p99)}</dd>
        </div>
      </dl>
      {open.map(alert => (
        <Alert key={alert.id} {...{ commands, alert, name }} />
      ))}
      {one.shift ? (
        <ShiftChart shift={one.shift} />
      ) : (
        <p className="mlops-Dim">No shift is known yet: send images, then press Check now.</p>
      )}
      <div className="mlops-Acts">
        {!one.alive && (
          <Act
            kind="main"
            label={`Deploy ${name} again`}
            onAct={() => commands.execute(Id.deploy, { ref: one.model || one.bundle, name })}
          >
            Deploy again
          </Act>
        )}
        <Act label={`Send images to ${name}`} disabled={!one.alive} onAct={() => commands.execute(Id.sendImages, { name })}>
          Send images
        </Act>
        <Act label={`Check ${name} now`} onAct={() => commands.execute(Id.check, { name })}>
          Check now
        </Act>
        <Act label={`Lineage of ${name}`} onAct={() => commands.execute(Id.lineage, { of: one.bundle })}>
          Lineage
        </Act>
        <Act label={`Stop ${name}`} disabled={!one.alive} onAct={() => commands.execute(Id.stopDeployment, { name })}>
          Stop
        </Act>
      </div>
      {seen.length > 0 && (
        <ul className="mlops-List" aria-label="Alerts that were acknowledged">
          {seen.slice(0, 5).map(alert => (
            <li key={alert.id}>
              <Badge says={alert.level} /> <span className="mlops-Dim">acknowledged by {alert.acknowledged_by}</span>{' '}
              {alert.comment || alert.sentence}
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}

interface IAlertProps {
  readonly commands: IEnv['commands'];
  readonly alert: IAlert;
  readonly name: string;
}

function Alert({ commands, alert, name }: IAlertProps): JSX.Element {
  return (
    <div className={`mlops-Alert mlops-mod-${alert.level}`}>
      <div className="mlops-Step-line">
        <Badge says={alert.level} />
        <span className="mlops-Dim">
          <When at={alert.at} />
          {alert.at_frame !== null && ` · frame ${alert.at_frame}`}
        </span>
      </div>
      <p role="alert">{alert.sentence}</p>
      <Act
        kind="main"
        label={`Acknowledge the ${alert.level} of ${name}: ${alert.sentence}`}
        onAct={() => commands.execute(Id.acknowledge, { id: alert.id })}
      >
        Acknowledge
      </Act>
    </div>
  );
}
