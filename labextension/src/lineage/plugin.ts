import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, MainAreaWidget, ReactWidget, showDialog, WidgetTracker } from '@jupyterlab/apputils';
import { UUID } from '@lumino/coreutils';
import * as React from 'react';

import { attempt, knownModels, knownRefs, modelNames } from '../commands/asking';
import { Id } from '../commands/ids';
import { icons } from '../icons';
import { short } from '../parts';
import { text } from '../reading';
import { IMlops, type ILineage, type ILineageNode, type Topic } from '../tokens';
import { LineageView } from './view';

/** The lineage of one thing at a time, asked of the server when it is shown. */
class LineageWidget extends ReactWidget {
  of = '';

  constructor(
    private readonly _model: IMlops,
    private readonly _onOpen: (node: ILineageNode) => void,
    private readonly _onRoot: (of: string) => void
  ) {
    super();
    this.addClass('mlops-scrolls');
    this._model.want('models');
    this._model.want('datasets');
    this._model.changed.connect(this._hear, this);
  }

  dispose(): void {
    this._model.changed.disconnect(this._hear, this);
    super.dispose();
  }

  render(): JSX.Element {
    return React.createElement(LineageView, {
      of: this.of,
      lineage: this._lineage,
      problem: this._problem,
      offers: offered(this._model),
      onOpen: this._onOpen,
      onRoot: this._onRoot
    });
  }

  async show_of(of: string): Promise<void> {
    this.of = of;
    this._lineage = null;
    this._problem = of ? '' : 'Nothing is chosen. Write a name such as signs@staging, and press Show.';
    this.update();
    if (!of) {
      return;
    }
    try {
      const model = this._model;
      const [found] = await Promise.all([
        model.request.lineage(of),
        model.slot('models').value ?? model.refresh('models')
      ]);
      if (this.of === of) {
        const names = modelNames(model);
        const nodes = found.nodes.map(node => (node.kind === 'bundle' ? { ...node, label: names.get(node.id) ?? node.label } : node));
        this._lineage = { ...found, nodes };
      }
    } catch (problem) {
      this._problem = problem instanceof Error ? problem.message : String(problem);
    }
    this.update();
  }

  private _hear(_: IMlops, topic: Topic): void {
    if (topic === 'models' || topic === 'datasets') {
      this.update(); // there may be more names to offer
    }
  }

  private _lineage: ILineage | null = null;
  private _problem = '';
}

/** Names to offer; a model that shares its name with data says that it is the model. */
function offered(model: IMlops): string[] {
  const data = new Set((model.slot('datasets').value ?? []).map(one => one.name));
  const models = knownModels(model).map(ref => (data.has(ref.split('@')[0] ?? '') ? `model:${ref}` : ref));
  return [...models, ...knownRefs(model)];
}

/** A tab of the main area: from a model, prediction or data set version to all it came from and led to. */
export const lineage: JupyterFrontEndPlugin<void> = {
  id: 'mlops-nb:lineage',
  description: 'Graphs of what came from what.',
  autoStart: true,
  requires: [IMlops],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, model: IMlops, restorer: ILayoutRestorer | null) => {
    const tracker = new WidgetTracker<MainAreaWidget<LineageWidget>>({ namespace: 'mlops-nb-lineage' });
    const title = (of: string) => (of ? `Lineage: ${short(of)}` : 'Lineage');

    const fill = (widget: MainAreaWidget<LineageWidget>, of: string) => {
      widget.title.label = title(of);
      widget.title.caption = of;
      const shown = widget.content.show_of(of);
      void tracker.save(widget);
      return shown;
    };
    const create = (id: string) => {
      const content: LineageWidget = new LineageWidget(
        model,
        node => void openNode(app, model, node),
        of => void fill(widget, of)
      );
      const widget = new MainAreaWidget({ content });
      widget.id = id;
      widget.title.icon = icons.lineage;
      widget.title.closable = true;
      return widget;
    };

    app.commands.addCommand(Id.lineage, {
      label: args => (args.of ? `Lineage of ${short(text(args.of))}` : 'Open the lineage'),
      caption: 'Where a model, a data set version or a prediction comes from, and what it led to',
      icon: icons.lineage,
      execute: async args => {
        if (args.of === undefined) {
          await model.refresh('models');
        }
        const of = text(args.of) || (offered(model)[0] ?? '');
        const id = text(args.id); // of a tab that comes back after a reload: what it shows may have changed since
        const widget =
          tracker.find(one => (id ? one.id === id : one.content.of === of)) ?? create(id || `mlops-nb-lineage-${UUID.uuid4()}`);
        if (!widget.isAttached) {
          widget.content.of = of;
          await tracker.add(widget);
          app.shell.add(widget, 'main', { type: 'MLOps' });
        }
        app.shell.activateById(widget.id);
        await fill(widget, of);
      }
    });
    void restorer?.restore(tracker, {
      command: Id.lineage,
      args: widget => ({ id: widget.id, of: widget.content.of }),
      name: widget => widget.id
    });
  }
};

/** Open what a node names. */
async function openNode(app: JupyterFrontEnd, model: IMlops, node: ILineageNode): Promise<void> {
  const { type, target, step } = node.opens;
  const title = node.label || short(node.id);
  const reveal = (section: string) => app.commands.execute(Id.panel, { section, id: target }) as Promise<boolean>;
  switch (type) {
    case 'page':
      return app.commands.execute(Id.openNotebook, { id: target, step });
    case 'dataset':
      return app.commands.execute(Id.browse, { ref: target });
    case 'deployment':
      await reveal('staging');
      return;
    case 'model':
      await reveal('models');
      return;
    case 'run':
      return (await reveal('runs')) ? undefined : attempt(() => showText(model, title, target)); // an old one has no card
    case 'text':
      return attempt(() => showText(model, title, target));
  }
}

async function showText(model: IMlops, title: string, id: string): Promise<void> {
  const { text, whole, picture } = await model.request.text(id);
  const said = whole ? text : `${text}\n\n(cut here; the whole is ${id})`;
  const body = ReactWidget.create(
    React.createElement(
      React.Fragment,
      null,
      picture && React.createElement('img', { className: 'mlops-Picture', src: picture, alt: title }),
      React.createElement('pre', { className: 'mlops-Log mlops-mod-tall', tabIndex: 0 }, said)
    )
  );
  await showDialog({ title, body, buttons: [Dialog.okButton({ label: 'Close' })] });
}
