import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import * as React from 'react';

import { Id } from '../commands/ids';
import { Act, counted, Problem } from '../parts';
import type { IClassified, IMlops } from '../tokens';
import type { CommandRegistry } from '@lumino/commands';

/** Let a person choose images, send them to a deployment, and show what it says. */
export async function sendImages(commands: CommandRegistry, model: IMlops, name: string): Promise<void> {
  const onLineage = (of: string) => {
    dialog.reject();
    void commands.execute(Id.lineage, { of });
  };
  const body = ReactWidget.create(<Sending {...{ model, name, onLineage }} />);
  body.addClass('mlops-Form');
  const dialog = new Dialog({
    title: `Send images to ${name}`,
    body,
    buttons: [Dialog.okButton({ label: 'Close' })],
    focusNodeSelector: '.mlops-Form input'
  });
  await dialog.launch();
}

/** A folder is sent with what it says of its images; a name such as `.DS_Store` is nobody's image. */
const WANTED = /^[^.].*\.(png|jpe?g|csv)$/i;

interface ISendingProps {
  readonly model: IMlops;
  readonly name: string;
  readonly onLineage: (of: string) => void;
}

function Sending({ model, name, onLineage }: ISendingProps): JSX.Element {
  const id = React.useId();
  const [files, setFiles] = React.useState<readonly File[]>([]);
  const [answers, setAnswers] = React.useState<readonly IClassified[]>([]);
  const [said, say] = React.useState('');
  const [problem, setProblem] = React.useState('');
  const images = files.filter(file => !file.name.endsWith('.csv')).length;
  const inputs = { images: React.useRef<HTMLInputElement>(null), folder: React.useRef<HTMLInputElement>(null) };
  const choose = (chosen: HTMLInputElement, wanted: (file: File) => boolean = () => true) => {
    Object.values(inputs).forEach(({ current: one }) => one && one !== chosen && (one.value = '')); // the last choice counts
    const all = [...(chosen.files ?? [])];
    const kept = all.filter(wanted);
    const rest = all.filter(file => !wanted(file) && !file.name.startsWith('.')).map(file => file.name);
    setFiles(kept);
    say(rest.length ? `${counted(rest.length, 'file')} left out, neither PNG nor JPEG: ${rest.slice(0, 5).join(', ')}` : '');
  };
  const send = async () => {
    setProblem('');
    say(`Sending ${images} …`);
    try {
      const sent = await Promise.all(
        files.map(async file => ({ name: file.webkitRelativePath || file.name, base64: await base64(file) }))
      );
      const found = await model.request.classify(name, sent);
      setAnswers(found);
      const unsure = found.filter(one => !one.confident).length;
      say(`${found.length} answered${unsure ? `; the model is unsure of ${unsure}` : ''}.`);
      void model.refresh('deployments');
    } catch (error) {
      say('');
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <div className="mlops-Send" data-testid="mlops-send">
      <p>
        <label htmlFor={id}>Images (PNG or JPEG)</label>{' '}
        <input
          ref={inputs.images}
          id={id}
          type="file"
          accept="image/png,image/jpeg"
          multiple
          onChange={event => choose(event.target)}
        />
      </p>
      <p>
        <label htmlFor={`${id}-folder`}>or a folder of them, with its metadata.csv</label>{' '}
        <input
          ref={inputs.folder}
          id={`${id}-folder`}
          type="file"
          {...{ webkitdirectory: '' }}
          onChange={event => choose(event.target, file => WANTED.test(file.name))}
        />
      </p>
      <Act kind="main" disabled={images === 0} onAct={send}>
        {images ? `Send ${images}` : 'Send'}
      </Act>
      <p role="status">{said}</p>
      {problem && <Problem text={problem} />}
      {answers.length > 0 && <Answers {...{ answers, onLineage }} />}
    </div>
  );
}

type IAnswersProps = Pick<ISendingProps, 'onLineage'> & { readonly answers: readonly IClassified[] };

function Answers({ answers, onLineage }: IAnswersProps): JSX.Element {
  return (
    <table className="mlops-Table">
      <thead>
        <tr>
          <th scope="col">Image</th>
          <th scope="col">Says</th>
          <th scope="col" className="mlops-mod-number">
            Score
          </th>
          <th scope="col" className="mlops-mod-number">
            ms
          </th>
          <th scope="col">Why</th>
        </tr>
      </thead>
      <tbody>
        {answers.map((one, at) => (
          <tr key={at}>
            <td className="mlops-mod-name">{one.image}</td>
            <td>{one.confident ? one.label : `${one.label}, unsure`}</td>
            <td className="mlops-mod-number">{one.score.toFixed(3)}</td>
            <td className="mlops-mod-number">{one.latency_ms.toFixed(1)}</td>
            <td>
              <Act kind="link" label={`Lineage of ${one.image}`} onAct={() => onLineage(one.image_id)}>
                Lineage
              </Act>
            </td>
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
