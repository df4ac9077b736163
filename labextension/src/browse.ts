import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IFrame, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import type { Message } from '@lumino/messaging';
import { Panel, Widget } from '@lumino/widgets';

import { ask } from './form/dialog';
import { knownRefs, schemaOf } from './commands/asking';
import { Id } from './commands/ids';
import { icons } from './icons';
import { text } from './reading';
import { IMlops, type IJob } from './tokens';

/** The browser of images on one version: what it waits for, then the App in a frame. */
class Browser extends Panel {
  constructor(
    readonly ref: string,
    private readonly _model: IMlops,
    private readonly _baseUrl: string
  ) {
    super();
    this.addClass('mlops-Browse');
    this.node.dataset.testid = 'mlops-browse';
    this._said.addClass('mlops-Empty');
    this._said.node.setAttribute('role', 'status');
    this.addWidget(this._said);
    this._model.changed.connect(this._look, this);
  }

  /** Open the version, where it is not open: nobody has yet, or nobody looked for long and the App has ended. */
  async open(): Promise<void> {
    if (this._opening || (this._frame && (await this._model.request.answers(this._frame.url)))) {
      return;
    }
    this._frame?.dispose();
    this._frame = null;
    this._job = null; // what it said is no longer so
    this._said.removeClass('mlops-Problem');
    this._said.show();
    await this._begin();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.onAfterShow(message);
  }

  /** A tab that was restored behind another one begins when somebody looks at it. */
  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    if (this.isVisible && !this._job) {
      void this.open();
    }
  }

  dispose(): void {
    this._model.changed.disconnect(this._look, this);
    super.dispose();
  }

  private async _begin(): Promise<void> {
    this._say(`Opening ${this.ref} …`);
    this._opening = true;
    try {
      this._job = await this._model.begin('browse', { ref: this.ref });
      this._look();
    } catch (problem) {
      this._fail(problem instanceof Error ? problem.message : String(problem));
    } finally {
      this._opening = false;
    }
  }

  private _look(): void {
    const id = this._job?.id;
    const job: IJob | undefined = (this._model.slot('jobs').value ?? []).find(one => one.id === id);
    if (!job || this._frame) {
      return;
    }
    const path = text(job.result?.path);
    if (path) {
      this._show(path);
    } else if (job.status === 'running') {
      const share = job.total ? ` (${job.done} of ${job.total})` : '';
      this._say(`Opening ${this.ref}: ${job.said || 'starting the App'}${share} …`);
    } else {
      this._fail(job.error || 'The App did not start. Look at the job in the panel.');
    }
  }

  private _show(path: string): void {
    const base = new URL(this._baseUrl, window.location.href);
    const url = new URL(path.startsWith('/') ? path : URLExt.join(base.pathname, path), base);
    const frame = new IFrame({
      sandbox: ['allow-scripts', 'allow-same-origin', 'allow-forms', 'allow-popups', 'allow-downloads', 'allow-modals'],
      referrerPolicy: 'same-origin'
    });
    frame.url = url.href;
    const page = frame.node.querySelector('iframe');
    page?.setAttribute('title', `Images of ${this.ref}`);
    page?.addEventListener('load', () => this._said.hide(), { once: true });
    this._say(`Loading the App on ${this.ref} …`);
    this.addWidget(frame);
    this._frame = frame;
  }

  private _say(said: string): void {
    this._said.node.textContent = said;
  }

  private _fail(said: string): void {
    this._said.addClass('mlops-Problem');
    this._say(said);
  }

  private readonly _said = new Widget();
  private _job: IJob | null = null;
  private _frame: IFrame | null = null;
  private _opening = false;
}

/** A tab of the main area with FiftyOne on a data set version, behind the Jupyter server. */
export const browse: JupyterFrontEndPlugin<void> = {
  id: 'mlops-nb:browse',
  description: 'Look at the images of a data set version.',
  autoStart: true,
  requires: [IMlops],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, model: IMlops, restorer: ILayoutRestorer | null) => {
    const tracker = new WidgetTracker<MainAreaWidget<Browser>>({ namespace: 'mlops-nb-browse' });
    const open = async (ref: string) => {
      let widget = tracker.find(one => one.content.ref === ref);
      if (!widget) {
        widget = new MainAreaWidget({ content: new Browser(ref, model, app.serviceManager.serverSettings.baseUrl) });
        widget.id = `mlops-nb-browse-${ref.replace(/\W/g, '-')}`;
        widget.title.label = `Images: ${ref}`;
        widget.title.icon = icons.browse;
        widget.title.closable = true;
        await tracker.add(widget);
        app.shell.add(widget, 'main', { type: 'MLOps' });
      } else {
        void widget.content.open();
      }
      app.shell.activateById(widget.id);
    };
    app.commands.addCommand(Id.browse, {
      label: args => (args.ref ? `Browse ${text(args.ref)}` : 'Browse a data set …'),
      caption: 'Look at the images of a data set version, with their labels, checks and quarantine',
      icon: icons.browse,
      execute: async args => {
        if (args.ref) {
          return open(text(args.ref));
        }
        await model.refresh('datasets');
        const refs = knownRefs(model);
        return ask({
          title: 'Browse a data set',
          schema: schemaOf({
            ref: { title: 'Data set', description: 'such as signs@v1', format: 'DatasetRef', initial: refs[0] }
          }),
          send: 'Browse',
          all: true,
          offers: { DatasetRef: refs },
          onSend: values => open(text(values.ref))
        });
      }
    });
    void restorer?.restore(tracker, {
      command: Id.browse,
      args: widget => ({ ref: widget.content.ref }),
      name: widget => widget.content.ref
    });
  }
};
