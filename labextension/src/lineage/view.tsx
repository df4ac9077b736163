import * as React from 'react';

import { Act, counted, Problem, short } from '../parts';
import type { ILineage, ILineageEdge, ILineageNode } from '../tokens';
import { BOX, draw, step, type IDrawing, type IPlaced } from './layout';

const KINDS: Readonly<Record<string, string>> = {
  data: 'data set version',
  bundle: 'model',
  run: 'run',
  prop: 'proposal',
  blob: 'file',
  img: 'image'
};
/** Only these come from outside; what else nobody made stands beside an act. */
const OUTSIDE = ['data', 'img', 'pixels'];
/** They stand beside an act, and have no acts of their own. */
const BESIDE = ['notebook', 'code', 'environment'];
const kindOf = (node: ILineageNode) => KINDS[node.kind] ?? node.kind;
const nameOf = (node: ILineageNode) => node.label || short(node.id);
const peopleOf = (node: ILineageNode) => [...new Set([...node.made, ...node.done].map(act => act.by))].filter(Boolean);
const minute = (at: string) => `${at.slice(0, 16).replace('T', ' ')} UTC`;

interface IViewProps {
  readonly of: string;
  readonly lineage: ILineage | null;
  readonly problem: string;
  readonly offers: readonly string[];
  readonly onOpen: (node: ILineageNode) => void;
  /** Show the lineage of something else. */
  readonly onRoot: (of: string) => void;
}

/** The graph of one thing, what is known of the node that is chosen, and a field to ask for another thing. */
export function LineageView({ of, lineage, problem, offers, onOpen, onRoot }: IViewProps): JSX.Element {
  return (
    <div className="mlops-Lineage" data-testid="mlops-lineage">
      <Bar {...{ of, offers, onRoot }} lineage={lineage} />
      {problem && <Problem text={problem} />}
      {!lineage && !problem && <p className="mlops-Empty">Asking the ledger …</p>}
      {lineage && <Chosen key={lineage.root} {...{ lineage, onOpen, onRoot }} />}
    </div>
  );
}

type IBarProps = Pick<IViewProps, 'of' | 'offers' | 'onRoot' | 'lineage'>;

function Bar({ of, offers, onRoot, lineage }: IBarProps): JSX.Element {
  const id = React.useId();
  const [asked, ask] = React.useState(of);
  React.useEffect(() => ask(of), [of]);
  return (
    <form
      className="mlops-Lineage-bar"
      onSubmit={event => {
        event.preventDefault();
        onRoot(asked.trim());
      }}
    >
      <label htmlFor={id}>Lineage of</label>
      <input
        id={id}
        className="jp-mod-styled"
        value={asked}
        list={`${id}-offers`}
        spellCheck={false}
        placeholder="signs@staging, signs@v1, or an id"
        onChange={event => ask(event.target.value)}
      />
      <datalist id={`${id}-offers`}>
        {offers.map(offer => (
          <option key={offer} value={offer} />
        ))}
      </datalist>
      <button type="submit" className="mlops-Act mlops-mod-plain">
        Show
      </button>
      <span className="mlops-Dim" role="status">
        {lineage && `${counted(lineage.nodes.length, 'thing')}, ${counted(lineage.edges.length, 'connection')}`}
      </span>
    </form>
  );
}

type IChosenProps = Pick<IViewProps, 'onOpen' | 'onRoot'> & { readonly lineage: ILineage };

function Chosen({ lineage, onOpen, onRoot }: IChosenProps): JSX.Element {
  const drawing = React.useMemo(() => draw(lineage), [lineage]);
  const [chosen, choose] = React.useState(lineage.root);
  const node = drawing.places.get(chosen)?.node;
  return (
    <div className="mlops-Lineage-body">
      <Graph {...{ drawing, lineage, chosen, choose, onOpen }} />
      {node && (
        <Details
          {...{ node, onOpen, onRoot }}
          root={lineage.root}
          made={node.made.length > 0 || lineage.edges.some(edge => edge.target === node.id)}
        />
      )}
    </div>
  );
}

interface IGraphProps {
  readonly drawing: IDrawing;
  readonly lineage: ILineage;
  readonly chosen: string;
  readonly choose: (id: string) => void;
  readonly onOpen: (node: ILineageNode) => void;
}

function Graph({ drawing, lineage, chosen, choose, onOpen }: IGraphProps): JSX.Element {
  const buttons = React.useRef(new Map<string, HTMLButtonElement>());
  const scroll = React.useRef<HTMLDivElement>(null);
  const [zoom, setZoom] = React.useState(1);
  const nearer = (by: number) => setZoom(now => Math.min(2, Math.max(0.3, now * by)));
  const fit = () => {
    const { clientWidth = 1, clientHeight = 1 } = scroll.current ?? {};
    setZoom(Math.min(2, Math.max(0.3, Math.min((clientWidth - 2) / drawing.width, (clientHeight - 2) / drawing.height))));
  };
  const go = (id: string | null) => {
    if (id) {
      choose(id);
      buttons.current.get(id)?.focus();
    }
  };
  React.useEffect(() => {
    buttons.current.get(lineage.root)?.scrollIntoView({ block: 'center', inline: 'center' });
  }, [lineage]);
  useWheel(scroll, nearer);
  return (
    <div className="mlops-Lineage-graph">
      <div className="mlops-Lineage-zoom">
        <Act label="Smaller" onAct={() => nearer(1 / 1.25)}>
          −
        </Act>
        <Act label="Larger" onAct={() => nearer(1.25)}>
          +
        </Act>
        <Act label="Fit the whole graph" onAct={fit}>
          Fit
        </Act>
      </div>
      <div
        ref={scroll}
        className="mlops-Lineage-scroll"
        role="group"
        aria-label="What it came from on the left, what it led to on the right; arrow keys move, Enter shows details"
        {...panning(scroll)}
      >
        <div className="mlops-Lineage-canvas" style={{ width: drawing.width * zoom, height: drawing.height * zoom }}>
          <div style={{ transform: `scale(${zoom})`, transformOrigin: '0 0', width: drawing.width }}>
            <svg width={drawing.width} height={drawing.height} aria-hidden="true">
              {lineage.edges.map((edge, at) => (
                <Edge key={at} {...{ edge, drawing, chosen }} />
              ))}
            </svg>
            {[...drawing.places.values()].map(place => (
              <Node
                key={place.node.id}
                place={place}
                isRoot={place.node.id === lineage.root}
                isChosen={place.node.id === chosen}
                refer={made => {
                  if (made) {
                    buttons.current.set(place.node.id, made);
                  } else {
                    buttons.current.delete(place.node.id);
                  }
                }}
                onChoose={() => choose(place.node.id)}
                onOpen={() => onOpen(place.node)}
                onArrow={key => go(step(drawing, lineage.edges, place.node.id, key))}
              />
            ))}
          </div>
        </div>
      </div>
    </div>
  );
}

/** Ctrl and the wheel zoom, as everywhere; React's own wheel handlers may not say so. */
function useWheel(on: React.RefObject<HTMLElement>, nearer: (by: number) => void): void {
  React.useEffect(() => {
    const node = on.current;
    const turn = (event: WheelEvent) => {
      if (event.ctrlKey) {
        event.preventDefault();
        nearer(event.deltaY < 0 ? 1.1 : 1 / 1.1);
      }
    };
    node?.addEventListener('wheel', turn, { passive: false });
    return () => node?.removeEventListener('wheel', turn);
  }, []); // eslint-disable-line
}

/** Drag the ground to move the graph. */
function panning(on: React.RefObject<HTMLElement>): Partial<React.HTMLAttributes<HTMLElement>> {
  return {
    onPointerDown: event => {
      if (event.button === 0 && !(event.target as Element).closest('button')) {
        event.currentTarget.setPointerCapture(event.pointerId);
      }
    },
    onPointerMove: event => {
      if (on.current && event.currentTarget.hasPointerCapture(event.pointerId)) {
        on.current.scrollLeft -= event.movementX;
        on.current.scrollTop -= event.movementY;
      }
    }
  };
}

interface INodeProps {
  readonly place: IPlaced;
  readonly isRoot: boolean;
  readonly isChosen: boolean;
  readonly refer: (made: HTMLButtonElement | null) => void;
  readonly onChoose: () => void;
  readonly onOpen: () => void;
  readonly onArrow: (key: string) => void;
}

function Node({ place, isRoot, isChosen, refer, onChoose, onOpen, onArrow }: INodeProps): JSX.Element {
  const { node, x, y } = place;
  return (
    <button
      type="button"
      ref={refer}
      className={`mlops-Lineage-node mlops-kind-${node.kind}${isRoot ? ' mlops-mod-root' : ''}`}
      style={{ left: x, top: y, width: BOX.width, height: BOX.height }}
      aria-pressed={isChosen}
      aria-label={`${kindOf(node)} ${nameOf(node)}`}
      tabIndex={isChosen ? 0 : -1}
      title={`${node.id}\nDouble click opens it.`}
      onClick={onChoose}
      onDoubleClick={onOpen}
      onKeyDown={event => {
        if (event.key.startsWith('Arrow')) {
          event.preventDefault();
          onArrow(event.key);
        }
      }}
    >
      <span className="mlops-Lineage-kind">{[kindOf(node), peopleOf(node).join(', ')].filter(Boolean).join(' · ')}</span>
      <span className="mlops-Lineage-label">{nameOf(node)}</span>
    </button>
  );
}

interface IEdgeProps {
  readonly edge: ILineageEdge;
  readonly drawing: IDrawing;
  readonly chosen: string;
}

function Edge({ edge, drawing, chosen }: IEdgeProps): JSX.Element | null {
  const from = drawing.places.get(edge.source);
  const to = drawing.places.get(edge.target);
  if (!from || !to) {
    return null;
  }
  const touched = edge.source === chosen || edge.target === chosen;
  return <path className={`mlops-Lineage-edge${touched ? ' mlops-mod-chosen' : ''}`} d={curve(from, to)} />;
}

function curve(from: IPlaced, to: IPlaced): string {
  const [x0, y0] = [from.x + BOX.width, from.y + BOX.height / 2];
  const [x1, y1] = [to.x, to.y + BOX.height / 2];
  const bend = Math.max(24, Math.abs(x1 - x0) / 2);
  return `M${x0},${y0} C${x0 + bend},${y0} ${x1 - bend},${y1} ${x1},${y1}`;
}

type IDetailsProps = Pick<IViewProps, 'onOpen' | 'onRoot'> & {
  readonly node: ILineageNode;
  readonly root: string;
  /** Something here led to it. */
  readonly made: boolean;
};

function Details({ node, root, made, onOpen, onRoot }: IDetailsProps): JSX.Element {
  return (
    <section className="mlops-Lineage-details" aria-live="polite" aria-label="The chosen thing">
      <h3>{nameOf(node)}</h3>
      <p className="mlops-Dim">{kindOf(node)}</p>
      <code>{node.id}</code>
      <ul className="mlops-List">
        {node.made.map((act, at) => (
          <li key={at}>
            {act.verb} by <strong>{act.by}</strong>, {minute(act.at)}
          </li>
        ))}
        {node.done.map((act, at) => (
          <li key={`done-${at}`}>
            {act.verb} by <strong>{act.by}</strong>, {minute(act.at)}
            {act.said && `: ${act.said}`}
          </li>
        ))}
        {!made && OUTSIDE.includes(node.kind) && <li>brought in from outside</li>}
      </ul>
      <div className="mlops-Acts">
        {node.opens.type !== 'none' && node.opens.type !== '' && (
          <Act kind="main" label={`Open ${nameOf(node)}`} onAct={() => onOpen(node)}>
            Open
          </Act>
        )}
        {node.id !== root && !BESIDE.includes(node.kind) && (
          <Act label={`Lineage of ${nameOf(node)}`} onAct={() => onRoot(node.id)}>
            Its own lineage
          </Act>
        )}
      </div>
    </section>
  );
}
