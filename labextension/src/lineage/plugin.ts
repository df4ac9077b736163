import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, MainAreaWidget, ReactWidget, showDialog, WidgetTracker } from '@jupyterlab/apputils';
import * as React from 'react';

import { knownModels, knownRefs } from '../commands/asking';
import { Id } from '../commands/ids';
import { openFile } from '../commands/runs';
import { icons } from '../icons';
import { short } from '../parts';
import { text } from '../reading';
import { IMlops, type ILineage, type ILineageNode } from '../tokens';
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
      offers: [...knownModels(this._model), ...knownRefs(this._model)],
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
      const found = await this._model.request.lineage(of);
      if (this.of === of) {
        this._lineage = found;
      }
    } catch (problem) {
      this._problem = problem instanceof Error ? problem.message : String(problem);
    }
    this.update();
  }

  private _hear(): void {
    this.update(); // there may be more names to offer
  }

  private _lineage: ILineage | null = null;
  private _problem = '';
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
    let made = 0;

    const fill = (widget: MainAreaWidget<LineageWidget>, of: string) => {
      widget.title.label = title(of);
      widget.title.caption = of;
      const shown = widget.content.show_of(of);
      void tracker.save(widget);
      return shown;
    };
    const create = () => {
      const content: LineageWidget = new LineageWidget(
        model,
        node => void openNode(app, model, node),
        of => void fill(widget, of)
      );
      const widget = new MainAreaWidget({ content });
      widget.id = `mlops-nb-lineage-${made++}`;
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
        const of = text(args.of) || (knownModels(model)[0] ?? '');
        const widget = tracker.find(one => one.content.of === of) ?? create();
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
      args: widget => ({ of: widget.content.of }),
      name: widget => widget.content.of || 'empty'
    });
  }
};

/** Open what a node names. */
async function openNode(app: JupyterFrontEnd, model: IMlops, node: ILineageNode): Promise<void> {
  const { type, target } = node.opens;
  switch (type) {
    case 'notebook':
    case 'image':
      return openFile(app, target);
    case 'dataset':
      return app.commands.execute(Id.browse, { ref: target });
    case 'run':
      return app.commands.execute(Id.panel, { section: 'runs', id: target });
    case 'model':
      return app.commands.execute(Id.panel, { section: 'models', id: target });
    default:
      return showText(node.label || short(node.id), await textOf(model, target || node.id));
  }
}

async function textOf(model: IMlops, id: string): Promise<string> {
  if (!id.startsWith('blob:')) {
    return id;
  }
  try {
    const { text, whole } = await model.request.text(id);
    return whole ? text : `${text}\n\n(cut here; the whole is ${id})`;
  } catch (problem) {
    return problem instanceof Error ? problem.message : String(problem);
  }
}

async function showText(title: string, said: string): Promise<void> {
  const body = ReactWidget.create(
    React.createElement('pre', { className: 'mlops-Log mlops-mod-tall', tabIndex: 0 }, said)
  );
  await showDialog({ title, body, buttons: [Dialog.okButton({ label: 'Close' })] });
}
