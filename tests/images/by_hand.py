"""Run the steps of the Dockerfile without an engine, in a root file system from Debian's packages.

``python -m tests.images.by_hand FOLDER --target cpu`` leaves the image's files in ``FOLDER/cpu``. It needs root, Linux
and ``debootstrap``; stages whose text is the same as last time are kept. What stands in for the base image is Debian's
own Python; files that slim images leave out (documentation, languages, package lists) are removed from it.
"""

import argparse
import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.images.dockerfile import ROOT, Stage, Step, filled, needed, stages

_PACKAGES = "ca-certificates,netbase,tzdata,python3.11,python3.11-venv,python3-distutils"
_LEFT_OUT = [f"usr/share/{name}" for name in ("doc", "man", "info", "locale")] + ["var/lib/apt/lists", "var/cache/apt"]
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_MOUNTED = ("proc", "dev")
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"}
"""Of the base image."""


class Builder:
    """Root folders of stages below one folder."""

    def __init__(self, folder: Path, given: dict[str, str]) -> None:
        self.folder = folder
        self.stages = stages(given)
        self._keys: dict[str, str] = {}

    def build(self, target: str) -> Path:
        """Run what ``target`` needs, in order; its root."""
        for name in needed(self.stages, target):
            begin = time.monotonic()
            made = self._stage(self.stages[name])
            print(f"{name}: {'made' if made else 'kept'}, {time.monotonic() - begin:.0f} s", flush=True)
        return self.folder / target

    def variables(self, name: str) -> dict[str, str]:
        """Variables of a stage, built or not."""
        found = self._of_base(self.stages[name])
        for step in self.stages[name].steps:
            _set(found, step)
        return found

    def _folder_of(self, name: str) -> str:
        """Where the steps after a stage run."""
        if name not in self.stages:
            return "/"
        given = [step.text for step in self.stages[name].steps if step.name == "WORKDIR"]
        return given[-1] if given else self._folder_of(self.stages[name].base)

    def _of_base(self, stage: Stage) -> dict[str, str]:
        return self.variables(stage.base) if stage.base in self.stages else dict(_ENVIRONMENT)

    def _stage(self, stage: Stage) -> bool:
        root, mark = self.folder / stage.name, self.folder / f"{stage.name}.key"
        environment = self._of_base(stage)
        self._keys[stage.name] = key = self._key(stage)
        kept = mark.exists() and mark.read_text() == key
        if not kept:
            mark.unlink(missing_ok=True)
            self._begin(stage, root)
        work = self._folder_of(stage.base)
        for step in stage.steps:
            _set(environment, step)
            if step.name == "WORKDIR":
                work = step.text
                (root / work.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif not kept and step.name == "RUN":
                _run(root, step, environment, work)
            elif not kept and step.name == "COPY":
                self._copy(step, root, work)
        mark.write_text(key)
        return not kept

    def _key(self, stage: Stage) -> str:
        """Tells whether anything that a stage is made of has changed."""
        digest = hashlib.sha256(self._keys.get(stage.base, stage.base).encode())
        for step in stage.steps:
            digest.update(f"{step.name} {step.text}\n".encode())
            if step.name == "COPY" and "from" in step.flags:
                digest.update(self._keys[step.flags["from"]].encode())
            elif step.name == "COPY":
                for path in _context(step):
                    digest.update(path.read_bytes())
        return digest.hexdigest()

    def _begin(self, stage: Stage, root: Path) -> None:
        shutil.rmtree(root, ignore_errors=True)
        if stage.base == "scratch":
            root.mkdir(parents=True)
        elif stage.base in self.stages:
            subprocess.run(["cp", "-a", self.folder / stage.base, root], check=True)
        else:
            _debian(root)

    def _copy(self, step: Step, root: Path, work: str) -> None:
        *sources, target = step.words
        into = root / os.path.join(work, target).lstrip("/")
        for source in sources:
            if "from" in step.flags:
                found = self.folder / step.flags["from"] / source.lstrip("/")
                _place(found, into, whole=not target.endswith("/"))
            else:
                for path in _context(step, source):
                    inside = path.relative_to(ROOT / source) if (ROOT / source).is_dir() else Path(path.name)
                    _place(path, into / inside, whole=True)
        if owner := step.flags.get("chown"):
            subprocess.run(["chown", "-R", owner, into], check=True)


def _set(variables: dict[str, str], step: Step) -> None:
    if step.name in ("ENV", "ARG"):
        variables.update({name: filled(value, variables) for name, value in step.pairs.items()})


def _context(step: Step, source: str | None = None) -> list[Path]:
    """Files of the build's context that a COPY takes."""
    wanted = [source] if source else step.words[:-1]
    tracked = subprocess.run(["git", "ls-files", *wanted], cwd=ROOT, check=True, capture_output=True, text=True)
    names = [name for name in tracked.stdout.split() if in_context(name)]
    assert names, f"line {step.line}: {wanted} is not in the build's context"
    return [ROOT / name for name in names]


def in_context(name: str) -> bool:
    """Whether .dockerignore lets a file through: the last rule that fits decides."""
    inside = True
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        if rule and not rule.startswith("#"):
            pattern = rule.removeprefix("!").replace("**/", "*")
            if fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(name, f"{pattern}/*"):
                inside = rule.startswith("!")
    return inside


def _place(found: Path, target: Path, *, whole: bool) -> None:
    """Copy a file, or what is in a folder, as COPY does: times stay."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if found.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", f"{found}/.", target], check=True)
    else:
        subprocess.run(["cp", "-a", found, target if whole else target / found.name], check=True)


def _debian(root: Path) -> None:
    """What stands in for the base image."""
    kept = root.with_name("debian.root")
    if not kept.exists():
        release = ["--variant=minbase", f"--include={_PACKAGES}", "bookworm"]
        subprocess.run(["debootstrap", *release, root], check=True, stdout=subprocess.DEVNULL)
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3.11")
        shutil.copy(_CERTIFICATES, root / str(_CERTIFICATES).lstrip("/"))
        _add_headers(root)
        for name in _LEFT_OUT:
            shutil.rmtree(root / name, ignore_errors=True)
        root.rename(kept)
    subprocess.run(["cp", "-a", kept, root], check=True)


def _add_headers(root: Path) -> None:
    """Python's headers, which the official image has, without the rest of Debian's package."""
    taken = "cd /tmp && apt-get download libpython3.11-dev && dpkg-deb --extract libpython3.11-dev*.deb x"
    put = "cp -a x/usr/include/. /usr/include && rm -r x *.deb"
    subprocess.run(["chroot", root, "sh", "-c", f"apt-get update -q && {taken} && {put}"], check=True)


def _run(root: Path, step: Step, environment: dict[str, str], work: str) -> None:
    """A RUN step in the root, with this machine's network and certificates."""
    passed = {name: value for name, value in os.environ.items() if name.endswith(("_CERT", "_CERTS", "_CERT_FILE"))}
    passed["DEBIAN_FRONTEND"] = "noninteractive"
    variables = [f"{name}={value}" for name, value in {**passed, **environment}.items()]
    mounts = " && ".join(f"mount --rbind /{name} {root}/{name}" for name in _MOUNTED)
    resolver = root / "etc/resolv.conf"
    shutil.copy("/etc/resolv.conf", resolver)
    inside = ["chroot", str(root), "env", "-i", *variables, "sh", "-c", 'cd "$1" && eval "$2"', "sh", work, step.text]
    command = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh", *inside]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    resolver.unlink()
    if done.returncode:
        sys.exit(f"line {step.line}: exit status {done.returncode}\n{done.stdout[-4000:]}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--target", default="cpu")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    print(Builder(asked.folder.resolve(), {"PYTHON_DIGEST": "sha256:by-hand"}).build(asked.target))


if __name__ == "__main__":
    main()
