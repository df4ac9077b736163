import * as React from 'react';

import type { IField, Written } from './fields';

interface IProps {
  readonly field: IField;
  readonly said: Written;
  readonly problem: string;
  readonly offers: readonly string[];
  readonly onSay: (said: Written) => void;
}

/** One question: its name, where to answer, what it means, and what is wrong with the answer. */
export function Question({ field, said, problem, offers, onSay }: IProps): JSX.Element {
  const id = React.useId();
  const explained = [field.help && `${id}-help`, problem && `${id}-problem`].filter(Boolean).join(' ');
  const common = {
    id,
    name: field.name,
    'aria-describedby': explained || undefined,
    'aria-invalid': problem !== '' || undefined,
    'aria-required': field.required || undefined
  };
  return (
    <div className={`mlops-Question mlops-mod-${field.kind}`}>
      <label htmlFor={id}>
        {field.label}
        {field.unit && <span className="mlops-Question-unit"> ({field.unit})</span>}
        {field.optional && <span className="mlops-Question-unit"> (may stay empty)</span>}
      </label>
      <Answer {...{ field, said, offers, onSay, common }} />
      {field.help && (
        <p id={`${id}-help`} className="mlops-Question-help">
          {field.help}
        </p>
      )}
      {problem && (
        <p id={`${id}-problem`} className="mlops-Question-problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

type IAnswerProps = Omit<IProps, 'problem'> & { readonly common: { readonly id: string; readonly name: string } };

function Answer({ field, said, offers, onSay, common }: IAnswerProps): JSX.Element {
  if (typeof said === 'boolean') {
    return <input {...common} type="checkbox" checked={said} onChange={event => onSay(event.target.checked)} />;
  }
  const say = (event: { target: { value: string } }) => onSay(event.target.value);
  if (field.kind === 'choice') {
    return (
      <div className="jp-select-wrapper">
        <select {...common} className="jp-mod-styled" value={said} onChange={say}>
          {(field.optional || said === '') && <option value="">{field.optional ? 'none' : 'choose …'}</option>}
          {field.choices.map(choice => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      </div>
    );
  }
  if (field.kind === 'json' || field.kind === 'long') {
    const rows = field.kind === 'long' ? 3 : 2;
    return <textarea {...common} className="jp-mod-styled" rows={rows} value={said} onChange={say} />;
  }
  const number = field.kind === 'integer' || field.kind === 'number';
  return (
    <>
      <input
        {...common}
        className="jp-mod-styled"
        type={field.format === 'password' ? 'password' : 'text'}
        inputMode={number ? (field.kind === 'integer' ? 'numeric' : 'decimal') : undefined}
        autoComplete={field.format === 'password' ? 'new-password' : 'off'}
        spellCheck={false}
        list={offers.length ? `${common.id}-offers` : undefined}
        value={said}
        onChange={say}
      />
      {offers.length > 0 && (
        <datalist id={`${common.id}-offers`}>
          {offers.map(offer => (
            <option key={offer} value={offer} />
          ))}
        </datalist>
      )}
    </>
  );
}
