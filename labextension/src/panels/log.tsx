import { Poll } from '@lumino/polling';
import * as React from 'react';

const AGAIN_MS = 1_000;
const LINES = 200;
const NEAR_PX = 20;

interface ILogProps {
  readonly of: string;
  /** What is asked for: another one is another log. */
  readonly id: string;
  readonly going: boolean;
  readonly ask: () => Promise<string>;
}

/** The end of what was printed; asked for again each second while it goes on and can be seen. */
export function Log({ of, id, going, ask }: ILogProps): JSX.Element {
  const [text, setText] = React.useState('…');
  const node = React.useRef<HTMLPreElement>(null);
  const follows = React.useRef(true); // a person who scrolled up reads there
  const asking = React.useRef(ask);
  asking.current = ask;
  React.useEffect(() => {
    let here = true;
    const look = async () => {
      try {
        const said = await asking.current();
        here && setText(said || (going ? 'Nothing printed yet.' : 'Nothing was printed.'));
      } catch (problem) {
        here && setText(problem instanceof Error ? problem.message : String(problem));
      }
    };
    if (!going) {
      void look();
      return () => void (here = false);
    }
    const poll = new Poll({
      name: `mlops-nb:log:${id}`,
      factory: look,
      frequency: { interval: AGAIN_MS, backoff: false },
      standby: () => document.hidden || !node.current?.offsetParent // folded, or behind another panel
    });
    return () => {
      here = false;
      poll.dispose();
    };
  }, [id, going]);
  React.useEffect(() => {
    if (follows.current) {
      node.current?.scrollTo(0, node.current.scrollHeight); // newer browsers answer a promise
    }
  }, [text]);
  return (
    <pre
      className="mlops-Log"
      ref={node}
      tabIndex={0}
      role="log"
      aria-live="off"
      aria-label={`Log of ${of}`}
      onScroll={({ currentTarget: at }) =>
        void (follows.current = at.scrollHeight - at.scrollTop - at.clientHeight < NEAR_PX)
      }
    >
      {text.split('\n').slice(-LINES).join('\n')}
    </pre>
  );
}
