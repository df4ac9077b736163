"The door of JupyterLab: routes, events and a worker beside a Jupyter server."


def _jupyter_server_extension_points() -> list[dict]:
    "Where the Jupyter server finds the extension."
    from mlops_nb.lab.app import MlopsNb

    return [{"module": "mlops_nb.lab.app", "app": MlopsNb}]
