import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { BUILT_FROM } from './built';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'mlops-nb:model',
  autoStart: true,
  activate: (app: JupyterFrontEnd) => {
    console.log('mlops-nb', app.name, BUILT_FROM);
  }
};
export default [plugin];
