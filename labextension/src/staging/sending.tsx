import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import * as React from 'react';

import { Act, Problem } from '../parts';
import type { IClassified, IMlops } from '../tokens';

/** Let a person choose images, send them to a deployment, and show what it says. */
export async function sendImages(model: IMlops, name: string): Promise<void> {
  const body = ReactWidget.create(<Sending model={model} name={name} />);
  body.addClass('mlops-Form');
  await new Dialog({
    title: `Send images to ${name}`,
    body,
    buttons: [Dialog.okButton({ label: 'Close' })],
    focusNodeSelector: '.mlops-Form input'
  }).launch();
}

function Sending({ model, name }: { model: IMlops; name: string }): JSX.Element {
  const id = React.useId();
  const [files, setFiles] = React.useState<readonly File[]>([]);
  const [answers, setAnswers] = React.useState<readonly IClassified[]>([]);
  const [said, say] = React.useState('');
  const [problem, setProblem] = React.useState('');
  const send = async () => {
    setProblem('');
    say(`Sending ${files.length} …`);
    try {
      const images = await Promise.all(files.map(async file => ({ name: file.name, base64: await base64(file) })));
      const found = await model.request.classify(name, images);
      setAnswers(found);
      say(`${found.length} answered, ${found.filter(one => one.confident).length} of them surely.`);
      void model.refresh('deployments');
    } catch (error) {
      say('');
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div data-testid="mlops-send">
      <label htmlFor={id}>Images (PNG or JPEG)</label>
      <input
        id={id}
        type="file"
        accept="image/png,image/jpeg"
        multiple
        onChange={event => setFiles([...(event.target.files ?? [])])}
      />
      <Act kind="main" disabled={files.length === 0} onAct={send}>
        {files.length ? `Send ${files.length}` : 'Send'}
      </Act>
      <p role="status">{said}</p>
      {problem && <Problem text={problem} />}
      {answers.length > 0 && <Answers answers={answers} />}
    </div>
  );
}

function Answers({ answers }: { answers: readonly IClassified[] }): JSX.Element {
  return (
    <table className="mlops-Table">
      <thead>
        <tr>
          <th scope="col">Image</th>
          <th scope="col">Says</th>
          <th scope="col">Score</th>
          <th scope="col">ms</th>
        </tr>
      </thead>
      <tbody>
        {answers.map((one, at) => (
          <tr key={at}>
            <td>{one.image}</td>
            <td>{one.confident ? one.label : `${one.label}, unsure`}</td>
            <td>{one.score.toFixed(3)}</td>
            <td>{one.latency_ms.toFixed(1)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

async function base64(file: File): Promise<string> {
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(new Error(`${file.name} cannot be read. Choose it again.`));
    reader.readAsDataURL(file);
  });
  return url.slice(url.indexOf(',') + 1);
}
