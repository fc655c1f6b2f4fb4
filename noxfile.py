"""The matrix of extras: the wheel in an environment of its own for each, at its lowest and its newest versions.

    nox -s extras                                    # all of it
    nox -s "extras-3.11(lowest-direct, serve)"       # one
    nox -s extras -- --override torch-cpu.txt        # options for `uv pip install`

Interpreters that are not here are skipped, and said to be.
"""

from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.sessions = ["dist", "extras"]

EXTRAS = ("core", "train", "export", "serve", "study", "starter", "tensorboard", "mlflow", "wandb", "all")
VERSIONS = ("lowest-direct", "highest")
SCRATCH = Path(".nox") / "matrix"
DIST = SCRATCH / "dist"
BUNDLE = SCRATCH / "zoo" / "bundle"


@nox.session
def dist(session: nox.Session) -> None:
    """Builds sdist and wheel, and checks what PyPI would say."""
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", str(DIST), external=True)
    session.run("twine", "check", "--strict", *map(str, DIST.iterdir()))


@nox.session
def bundle(session: nox.Session) -> None:
    """Writes the bundle that environments without torch answer from."""
    if BUNDLE.is_dir():
        session.skip("it is there")
    session.install(f"{_wheel(session)}[export]", *session.posargs)
    session.run("python", "tests/smoke.py", "bundle", str(SCRATCH), env={"PYTHONPATH": "."})


@nox.session(python=["3.11", "3.12", "3.13"], requires=["bundle"])
@nox.parametrize("extra", EXTRAS, ids=EXTRAS)
@nox.parametrize("versions", VERSIONS, ids=VERSIONS)
def extras(session: nox.Session, extra: str, versions: str) -> None:
    """Installs the wheel with one extra and tries what it promises."""
    chosen = [] if extra == "core" else ["--extra", extra]
    limits = Path(session.create_tmp()) / "constraints.txt"
    session.run_install(
        *("uv", "pip", "compile", "--quiet", "pyproject.toml", *chosen),
        *("--resolution", versions, "--output-file", str(limits), *session.posargs),
    )
    name = f"[{extra}]" if chosen else ""
    session.install("--constraint", str(limits), f"{_wheel(session)}{name}", *session.posargs)
    session.run("uv", "pip", "check", external=True)
    # The tests' own modules come from here, the package from the environment.
    session.run("python", "tests/smoke.py", extra, str(BUNDLE), env={"PYTHONPATH": "."})


def _wheel(session: nox.Session) -> Path:
    wheels = sorted(DIST.glob("*.whl"))
    if not wheels:
        session.error("there is no wheel: run `nox -s dist` first")
    return wheels[-1]
