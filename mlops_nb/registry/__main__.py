"The process that tells MLflow of runs: python -m mlops_nb.registry (started after each run)."

from mlops_nb.registry.mirroring import keep_telling
from mlops_nb.workspace import MlopsError, open_workspace

try:
    done = keep_telling(open_workspace(create=False))
    if done and (done.refused or done.away):
        print(done, flush=True)
except MlopsError as err:
    print(err, flush=True)
