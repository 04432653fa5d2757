"""The files of the repository that packages contain beside the binary."""
from packages.archive import PackagedFile
from packages.release import ROOT, stop

# Patterns instead of folders: a clone in use also has keys and certificates in config/certs.
DOCUMENTS = ["LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/guides/*.md", "docs/adr/*.md"]
SAMPLES = ["config/deployment.toml", "config/*.schema.json", "config/tenants/*/tenant-conf.json"]
UNIT = "deploy/doorward.service"
KUBERNETES = "deploy/kubernetes-sidecar.yaml"
CONTAINERFILE = "deploy/Containerfile"


def repository_files(*patterns):
    """The matching files, by the paths that they have in the repository, so that links between them work."""
    found = []
    for pattern in patterns:
        matching = sorted(ROOT.glob(pattern))
        if not matching:
            stop(f"{pattern} is missing in {ROOT}: run this in a complete clone of the repository")
        found += [PackagedFile(file.relative_to(ROOT).as_posix(), file.read_bytes()) for file in matching]
    return found
