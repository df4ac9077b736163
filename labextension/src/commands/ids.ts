/** Names of the commands; other extensions and tests may rely on them. */
export const Id = {
  validate: 'mlops-nb:validate',
  runStep: 'mlops-nb:run-step',
  train: 'mlops-nb:train',
  register: 'mlops-nb:register',
  deploy: 'mlops-nb:deploy',
  lineage: 'mlops-nb:open-lineage',
  browse: 'mlops-nb:browse',
  panel: 'mlops-nb:open-panel',
  template: 'mlops-nb:new-from-template',
  judge: 'mlops-nb:judge',
  propose: 'mlops-nb:propose',
  approve: 'mlops-nb:approve',
  reject: 'mlops-nb:reject',
  promote: 'mlops-nb:promote',
  rollback: 'mlops-nb:rollback',
  acknowledge: 'mlops-nb:acknowledge',
  check: 'mlops-nb:check-deployment',
  stopDeployment: 'mlops-nb:stop-deployment',
  sendImages: 'mlops-nb:send-images',
  cancelRun: 'mlops-nb:cancel-run',
  resumeRun: 'mlops-nb:resume-run',
  stopJob: 'mlops-nb:stop-job',
  openNotebook: 'mlops-nb:open-executed',
  ingest: 'mlops-nb:ingest-folder',
  split: 'mlops-nb:split-dataset',
  merge: 'mlops-nb:merge-branch',
  tag: 'mlops-nb:tag-dataset',
  fork: 'mlops-nb:fork-dataset',
  release: 'mlops-nb:release-sample'
} as const;

/** Sections of the side panel, in their order. */
export const SECTIONS = ['data', 'runs', 'models', 'staging'] as const;
export type Section = (typeof SECTIONS)[number];
