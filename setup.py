"The package's metadata, read from settings.ini."

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

here = Path(__file__).parent
parser = ConfigParser(delimiters=["="], interpolation=None)
parser.read(here / "settings.ini", encoding="utf-8")
cfg = parser["DEFAULT"]


def lines(key: str) -> list[str]:
    return [line for line in cfg[key].splitlines() if line.strip()]


extras: dict[str, list[str]] = {}
for line in lines("extras"):
    extra, requirement = line.split(":", 1)
    extras.setdefault(extra.strip(), []).append(requirement.strip())


def labextension() -> list[tuple[str, list[str]]]:
    "The prebuilt front end, where JupyterLab looks for it."
    built = Path("mlops_nb/labextension")
    found: dict[Path, list[str]] = {}
    for path in sorted(path for path in built.rglob("*") if path.is_file()):
        found.setdefault(path.parent.relative_to(built), []).append(str(path))
    return [
        ((Path("share/jupyter/labextensions/mlops-nb") / folder).as_posix(), paths)
        for folder, paths in found.items()
    ]


class BuildWithData(build_py):
    "An editable install lays down the data files too, which setuptools leaves out."

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            self.run_command("install_data")


setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    license=cfg["license"],
    keywords=cfg["keywords"].split(),
    classifiers=lines("classifiers"),
    packages=find_packages(include=["mlops_nb", "mlops_nb.*"]),
    include_package_data=False,  # else every data file goes in twice
    package_data={
        "mlops_nb": ["labextension/package.json"],  # says what the front end was built from
        "mlops_nb.widgets": ["*.js", "*.css"],
        "mlops_nb.selection": ["encoder.onnx"],
    },
    data_files=[
        ("share/mlops_nb/templates", [str(p) for p in Path("templates").glob("*.ipynb")]),
        ("share/jupyter/kernels/mlops-nb", ["kernelspec/kernel.json"]),
        ("etc/jupyter/jupyter_server_config.d", ["jupyter-config/mlops_nb.json"]),
        *labextension(),
    ],
    cmdclass={"build_py": BuildWithData},
    install_requires=lines("requirements"),
    extras_require=extras,
    python_requires=f">={cfg['min_python']}",
    entry_points={
        "console_scripts": lines("console_scripts"),
        "jupyter_client.kernel_provisioners": lines("kernel_provisioners"),
        "papermill.engine": lines("papermill_engines"),
        "papermill.io": lines("papermill_io"),
    },
)
