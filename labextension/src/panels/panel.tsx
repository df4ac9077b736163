import { ReactWidget, SidePanel } from '@jupyterlab/ui-components';
import type { AccordionLayout, AccordionPanel } from '@lumino/widgets';
import * as React from 'react';

import { SECTIONS, type Section } from '../commands/ids';
import { icons } from '../icons';
import { Guarded, Problem, useSlot, type IEnv } from '../parts';
import { DataSection } from './data';
import { ModelsSection } from './models';
import { RunsSection } from './runs';
import { StagingSection } from './staging';

const VIEWS: Readonly<Record<Section, { readonly title: string; readonly View: (env: IEnv) => JSX.Element }>> = {
  data: { title: 'Data', View: DataSection },
  runs: { title: 'Runs', View: RunsSection },
  models: { title: 'Models', View: ModelsSection },
  staging: { title: 'Staging', View: StagingSection }
};

const LEAST_PX = 120; // of a section that is open, as the style sheet says
const ENOUGH = 0.4; // of the panel, for the section that was asked for: where less is left, the panel scrolls

class SectionWidget extends ReactWidget {
  constructor(
    private readonly _env: IEnv,
    readonly section: Section
  ) {
    super();
    this.addClass('mlops-Section');
    this.title.label = VIEWS[section].title;
    this.node.dataset.testid = `mlops-${section}`;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', VIEWS[section].title);
    this.node.tabIndex = 0; // what scrolls must be reachable by keys
  }

  render(): JSX.Element {
    const { title, View } = VIEWS[this.section];
    return (
      <Guarded of={title}>
        <View {...this._env} />
      </Guarded>
    );
  }
}

/** The side panel: Data, Runs, Models, Staging. */
export class Panel extends SidePanel {
  constructor(env: IEnv) {
    super();
    this.id = 'mlops-nb-panel';
    this.addClass('mlops-Panel');
    this.title.icon = icons.sign;
    this.title.caption = 'MLOps: data, runs, models, staging';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'MLOps');
    const heading = ReactWidget.create(<Mismatch {...env} />);
    heading.addClass('mlops-Heading');
    this.header.addWidget(heading);
    SECTIONS.forEach(section => this.addWidget(new SectionWidget(env, section)));
  }

  /** Open a section and move the focus there, or to the card of one thing in it; was that found? */
  async reveal(section: Section, id: string, log = false): Promise<boolean> {
    const at = SECTIONS.indexOf(section);
    const accordion = this.content as AccordionPanel;
    accordion.expand(at);
    this.widgets.forEach(one => (one.node.style.minHeight = ''));
    accordion.fit();
    const node = this.widgets[at]?.node;
    const find = (card: string) => node?.querySelector<HTMLElement>(`[data-testid="${CSS.escape(card)}"]`) ?? null;
    node?.focus();
    await drawn();
    this._makeRoom(at);
    await drawn();
    node?.scrollIntoView({ block: 'nearest' });
    accordion.titles[at]?.scrollIntoView({ block: 'nearest' });
    if (!id) {
      return false;
    }
    if (section === 'models' && !find(`mlops-version-${id}`)) {
      const older = find(`mlops-model-${id.split('@')[0]}`)?.querySelector(':scope > details');
      older?.setAttribute('open', '');
      await drawn();
    }
    const hex = id.split(':')[1]?.slice(0, 8) ?? '';
    const card = { data: '', runs: `mlops-run-${hex}`, models: `mlops-version-${id}`, staging: `mlops-deployment-${id}` };
    const found = find(card[section]);
    found?.scrollIntoView({ block: 'start' });
    accordion.titles[at]?.scrollIntoView({ block: 'nearest' });
    (found?.querySelector<HTMLElement>('button, summary') ?? node)?.focus();
    if (found && log) {
      await openLog(found);
    }
    return found !== null;
  }

  /** A section that does not show all it has grows, up to what it needs; the others share what is left as they did. */
  private _makeRoom(at: number): void {
    const accordion = this.content as AccordionPanel;
    const sizes = (accordion.layout as AccordionLayout).absoluteSizes();
    const all = sizes.reduce((sum, size) => sum + size, 0);
    const others = sizes.filter((size, one) => size > 0 && one !== at);
    const most = all - LEAST_PX * others.length;
    const { node } = this.widgets[at] ?? {};
    const needed = node?.scrollHeight ?? 0;
    const enough = Math.min(needed, ENOUGH * this.node.clientHeight);
    const wanted = Math.min(needed, most);
    if (node && enough > most) {
      node.style.minHeight = `${Math.round(enough)}px`;
    } else if (wanted > (sizes[at] ?? 0)) {
      const share = (most - wanted) / others.reduce((sum, size) => sum + size - LEAST_PX, 0);
      const shared = (size: number) => (size > 0 ? LEAST_PX + (size - LEAST_PX) * share : 0);
      accordion.setRelativeSizes(sizes.map((size, one) => (one === at ? wanted : shared(size))));
    }
    accordion.fit();
  }
}

const drawn = () => new Promise(resolve => setTimeout(resolve, 50));

/** Open what the last step of a run said. */
async function openLog(run: HTMLElement): Promise<void> {
  run.querySelector('[data-testid=mlops-steps]')?.setAttribute('open', '');
  await drawn();
  const log = [...run.querySelectorAll('[data-testid=mlops-log]')].at(-1);
  log?.setAttribute('open', '');
  log?.querySelector('summary')?.focus();
}

function Mismatch({ model }: IEnv): JSX.Element | null {
  useSlot(model, 'status');
  return model.mismatch ? <Problem text={model.mismatch} /> : null;
}
