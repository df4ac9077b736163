import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import * as React from 'react';

import { around, Fold, Problem } from '../parts';
import { fieldsOf, valuesOf, written, type IField, type Written } from './fields';
import { Question } from './question';

/** What a form asks, and what becomes of the answers. */
export interface IAsk {
  readonly title: string;
  /** What will happen, in a sentence. */
  readonly about?: string;
  /** JSON Schema of the answers. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** What the button says that sends them. */
  readonly send: string;
  /** Texts to offer for a format such as DatasetRef. */
  readonly offers?: Readonly<Record<string, readonly string[]>>;
  /** Answers to begin with, in place of the defaults. */
  readonly given?: Readonly<Record<string, unknown>>;
  /** Answers that were left at their default are sent too. */
  readonly all?: boolean;
  /** Does the work; what it throws is shown in the form, which stays open. */
  readonly onSend: (values: Record<string, unknown>) => Promise<unknown>;
}

class FormBody extends ReactWidget {
  readonly questions: IField[];
  said: Record<string, Written> = {};
  problems: Record<string, string> = {};
  refusal = '';
  busy = false;

  constructor(readonly ask: IAsk) {
    super();
    this.addClass('mlops-Form');
    this.questions = fieldsOf(ask.schema);
    const given = this.questions.filter(({ name, format }) => ask.given?.[name] !== undefined && format !== 'password');
    this.said = Object.fromEntries(given.map(({ name, kind }) => [name, written(ask.given?.[name], kind)]));
  }

  render(): JSX.Element {
    const { ask } = this;
    const more = this.questions.filter(field => field.more);
    return (
      <div data-testid="mlops-form" aria-busy={this.busy}>
        {ask.about && <p className="mlops-Form-about">{ask.about}</p>}
        {this.questions.filter(field => !field.more).map(field => this.question(field))}
        {more.length > 0 && (
          <Fold summary="More" open={more.some(field => this.problems[field.name])}>
            {() => more.map(field => this.question(field))}
          </Fold>
        )}
        {this.questions.length === 0 && !ask.about && <p>Nothing needs to be set.</p>}
        {this.refusal && <Problem text={this.refusal} />}
      </div>
    );
  }

  private question(field: IField): JSX.Element {
    return (
      <Question
        key={field.name}
        field={field}
        said={this.said[field.name] ?? field.initial}
        problem={this.problems[field.name] ?? ''}
        offers={this.ask.offers?.[field.format] ?? []}
        onSay={said => {
          this.said = { ...this.said, [field.name]: said };
          this.update();
        }}
      />
    );
  }

  /** The answers, if all are well; else the first that is not gets the focus. */
  answers(): Record<string, unknown> | null {
    const { values, problems } = valuesOf(this.questions, this.said, this.ask.all);
    this.problems = problems;
    this.update();
    const first = Object.keys(problems)[0];
    if (first === undefined) {
      return values;
    }
    this.node.querySelector<HTMLElement>(`[name="${CSS.escape(first)}"]`)?.focus();
    return null;
  }

  getValue(): null {
    return null;
  }
}

/** A dialog that stays open until the server has taken the answers. */
class FormDialog extends Dialog<null> {
  constructor(private readonly _form: FormBody) {
    super({
      title: _form.ask.title,
      body: _form,
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: _form.ask.send })],
      focusNodeSelector: '.mlops-Form input, .mlops-Form select, .mlops-Form textarea'
    });
    this.addClass('mlops-FormDialog');
  }

  resolve(index?: number): void {
    if (index === 0) {
      super.resolve(index);
    } else {
      void this._send();
    }
  }

  private async _send(): Promise<void> {
    const body = this._form;
    const values = body.busy ? null : body.answers();
    if (values === null) {
      return;
    }
    body.busy = true;
    body.refusal = '';
    body.update();
    try {
      await body.ask.onSend(values);
      super.resolve(1);
    } catch (problem) {
      body.refusal = problem instanceof Error ? problem.message : String(problem);
    } finally {
      body.busy = false;
      body.update();
    }
  }
}

/** Ask a person; true if the work was begun, false if they thought better of it. */
export async function ask(what: IAsk): Promise<boolean> {
  const from = around(document.activeElement);
  const result = await new FormDialog(new FormBody(what)).launch();
  if (document.activeElement === document.body) {
    from?.focus(); // the button that was pressed may be gone
  }
  return result.button.accept;
}
