import * as React from 'react';

import type { IShift, IShiftWindow } from '../tokens';
import { decadesOf, oddsOf, raised, saidOf } from './evidence';

const MARGIN = { left: 52, right: 8, top: 18, bottom: 20 } as const;
const HEIGHT = 140;
const WIDEST = 560;

/** Evidence and limit of every check over the frames served. */
export function ShiftChart({ shift }: { shift: IShift }): JSX.Element {
  const said = saidOf(shift);
  const last = shift.windows[shift.windows.length - 1];
  const [node, width] = useWidth();
  return (
    <figure className="mlops-Chart" data-testid="mlops-shift" ref={node}>
      {last && width > 0 && <Picture {...{ shift, last, said }} width={Math.min(width, WIDEST)} />}
      <figcaption>{said}</figcaption>
    </figure>
  );
}

/** How wide something is: a picture drawn in its own pixels keeps the size of its text. */
function useWidth(): [React.RefObject<HTMLElement>, number] {
  const node = React.useRef<HTMLElement>(null);
  const [width, setWidth] = React.useState(0);
  React.useLayoutEffect(() => {
    const seen = new ResizeObserver(entries => {
      const now = Math.floor(entries[0]?.contentRect.width ?? 0);
      if (now > 0) {
        setWidth(now); // a hidden one has none
      }
    });
    if (node.current) {
      seen.observe(node.current);
    }
    return () => seen.disconnect();
  }, []);
  return [node, width];
}

interface IPictureProps {
  readonly shift: IShift;
  readonly last: IShiftWindow;
  readonly said: string;
  readonly width: number;
}

function Picture({ shift, last, said, width }: IPictureProps): JSX.Element {
  const { windows } = shift;
  const [right, bottom] = [width - MARGIN.right, HEIGHT - MARGIN.bottom];
  const most = Math.max(3, Math.ceil(Math.max(...windows.flatMap(one => [decadesOf(one.evidence), decadesOf(one.threshold)]))));
  const first = Math.min(windows[0]?.frame ?? 0, last.frame - 1);
  const x = (frame: number) => MARGIN.left + ((frame - first) / (last.frame - first)) * (right - MARGIN.left);
  const y = (decades: number) => bottom - (decades / most) * (bottom - MARGIN.top);
  const line = (value: (one: IShiftWindow) => number) =>
    windows.map((one, at) => `${at ? 'L' : 'M'}${x(one.frame).toFixed(1)},${y(decadesOf(value(one))).toFixed(1)}`).join('');
  const every = Math.ceil(most / 3);
  const ticks = Array.from({ length: Math.floor(most / every) + 1 }, (_, at) => at * every);
  const beside = last.evidence <= last.threshold ? { x: MARGIN.left + 4 } : { x: right, textAnchor: 'end' as const }; // where the evidence is not
  return (
    <svg width={width} height={HEIGHT} role="img" aria-label={said}>
      {ticks.map(at => (
        <g key={at}>
          <line className="mlops-Chart-grid" x1={MARGIN.left} x2={right} y1={y(at)} y2={y(at)} />
          <text x={MARGIN.left - 6} y={y(at) + 4} textAnchor="end">
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
          r={3}
        />
      ))}
      <text className="mlops-Chart-name" {...beside} y={y(decadesOf(last.threshold)) - 5}>
        page above {oddsOf(last.threshold)}
      </text>
      <text x={MARGIN.left} y={HEIGHT - 5}>
        frame {first}
      </text>
      <text x={right} y={HEIGHT - 5} textAnchor="end">
        {last.frame}
      </text>
    </svg>
  );
}
