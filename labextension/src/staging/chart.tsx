import * as React from 'react';

import type { IShift, IShiftWindow } from '../tokens';
import { decadesOf, raised, saidOf } from './evidence';

const SIZE = { width: 280, height: 110, left: 40, right: 8, top: 8, bottom: 20 } as const;
/** Evidence and limit of every check over the frames served. */
export function ShiftChart({ shift }: { shift: IShift }): JSX.Element {
  const said = saidOf(shift);
  const last = shift.windows[shift.windows.length - 1];
  return (
    <figure className="mlops-Chart" data-testid="mlops-shift">
      {last && <Picture shift={shift} lastFrame={last.frame} said={said} />}
      <figcaption>{said}</figcaption>
    </figure>
  );
}

function Picture({ shift, lastFrame, said }: { shift: IShift; lastFrame: number; said: string }): JSX.Element {
  const { windows } = shift;
  const highest = Math.max(3, ...windows.flatMap(one => [decadesOf(one.evidence), decadesOf(one.threshold)]));
  const firstFrame = Math.min(windows[0]?.frame ?? 0, lastFrame - 1);
  const right = SIZE.width - SIZE.right;
  const bottom = SIZE.height - SIZE.bottom;
  const x = (frame: number) => SIZE.left + ((frame - firstFrame) / (lastFrame - firstFrame)) * (right - SIZE.left);
  const y = (decades: number) => bottom - (decades / highest) * (bottom - SIZE.top);
  const line = (value: (one: IShiftWindow) => number) =>
    windows.map((one, at) => `${at ? 'L' : 'M'}${x(one.frame).toFixed(1)},${y(decadesOf(value(one))).toFixed(1)}`).join('');
  const every = Math.max(1, Math.floor(highest / 2));
  const ticks = [0, every, 2 * every].filter(at => at <= highest);
  return (
    <svg viewBox={`0 0 ${SIZE.width} ${SIZE.height}`} role="img" aria-label={said}>
      {ticks.map(at => (
        <g key={at}>
          <line className="mlops-Chart-grid" x1={SIZE.left} x2={right} y1={y(at)} y2={y(at)} />
          <text x={SIZE.left - 5} y={y(at) + 3} textAnchor="end">
            {at ? `10${raised(at)} : 1` : '1'}
          </text>
        </g>
      ))}
      <path className="mlops-Chart-limit" d={line(one => one.threshold)} />
      <path className="mlops-Chart-evidence" d={line(one => one.evidence)} />
      {windows.map((one, at) => (
        <circle
          key={at}
          className={one.evidence <= one.threshold ? 'mlops-Chart-paged' : 'mlops-Chart-calm'}
          cx={x(one.frame)}
          cy={y(decadesOf(one.evidence))}
          r={2.2}
        />
      ))}
      <text x={SIZE.left} y={SIZE.height - 5}>
        frame {firstFrame}
      </text>
      <text x={right} y={SIZE.height - 5} textAnchor="end">
        {lastFrame}
      </text>
    </svg>
  );
}
