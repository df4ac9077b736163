import { LabIcon } from '@jupyterlab/ui-components';

/** JupyterLab's own colour classes fill; these lines are stroked. */
const icon = (name: string, lines: string) =>
  new LabIcon({
    name: `mlops-nb:${name}`,
    svgstr:
      '<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">' +
      '<g class="mlops-stroke" fill="none" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">' +
      `${lines}</g></svg>`
  });

/** A road sign on its post: what all this is about. */
export const icons = {
  sign: icon('sign', '<path d="M12 2.5 19 9.5 12 16.5 5 9.5z"/><path d="M12 16.5V22M12 7v3M12 12.2v.1"/>'),
  check: icon('check', '<path d="M4 5h9M4 11h6M4 17h5"/><path d="m13 15 3 3 5-7"/>'),
  run: icon('run', '<rect x="3.5" y="3.5" width="17" height="17" rx="2.5"/><path d="m10 8.5 5.5 3.5-5.5 3.5z"/>'),
  train: icon('train', '<path d="M3.5 3.5v17h17"/><path d="M7 7c1.5 7 5 9 13 9.5"/>'),
  model: icon('model', '<path d="m12 3 8 4.5v9L12 21l-8-4.5v-9z"/><path d="m4 7.5 8 4.5 8-4.5M12 12v9"/>'),
  deploy: icon('deploy', '<path d="M12 15V4m0 0L8 8m4-4 4 4M5 15v4.5h14V15"/>'),
  lineage: icon('lineage', '<circle cx="5" cy="6" r="2"/><circle cx="5" cy="18" r="2"/><circle cx="19" cy="12" r="2"/><path d="M7 6c6 0 5 6 10 6M7 18c6 0 5-6 10-6"/>'),
  browse: icon('browse', '<rect x="3.5" y="3.5" width="7" height="7"/><rect x="13.5" y="3.5" width="7" height="7"/><rect x="3.5" y="13.5" width="7" height="7"/><rect x="13.5" y="13.5" width="7" height="7"/>')
} as const;
