"The server process: python -m mlops_nb.serve CONFIG FD (started by `deploy`)."

import sys

from mlops_nb.serve.server import main

main(sys.argv[1], int(sys.argv[2]))
