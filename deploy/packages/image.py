"""The container image as an OCI image layout in a tar archive (https://github.com/opencontainers/image-spec), without a daemon."""
import datetime
import json
import shutil
import subprocess
import tarfile

from packages import archive, containerfile, contents
from packages.archive import PackagedFile, sha256
from packages.release import ROOT, stop

TYPE = "application/vnd.oci.image"


def build(release, roots, output):
    image = containerfile.parse((ROOT / contents.CONTAINERFILE).read_text())
    path = output / f"{release.name}.oci.tar"
    path.write_bytes(archive.tar(layout(release, image, roots), release.time))
    check(path)
    return path


def read_roots(path):
    try:
        roots = path.read_bytes()
    except OSError as problem:
        stop(f"{path}: {problem.strerror}: install ca-certificates, or name a file of root certificates with --roots")
    if b"-----BEGIN CERTIFICATE-----" not in roots:
        stop(f"{path} has no certificate: name a PEM file of root certificates with --roots")
    return roots


def layout(release, image, roots):
    """The files of the layout: the index names the manifest, and the manifest the configuration and the layer."""
    layer = archive.tar(layer_files(release, image, roots), release.time)
    compressed = archive.compress(layer, release.level)
    config = to_json(configuration(release, image, sha256(layer)))
    manifest = to_json({
        "schemaVersion": 2,
        "mediaType": f"{TYPE}.manifest.v1+json",
        "config": descriptor("config.v1+json", config),
        "layers": [descriptor("layer.v1.tar+gzip", compressed)],
        "annotations": {
            "org.opencontainers.image.created": created(release),
            "org.opencontainers.image.version": release.version,
        },
    })
    blobs = [PackagedFile(f"blobs/sha256/{sha256(blob)}", blob) for blob in (config, compressed, manifest)]
    return [
        PackagedFile("oci-layout", to_json({"imageLayoutVersion": "1.0.0"})),
        PackagedFile("index.json", to_json(index(release, manifest))),
        *blobs,
    ]


def layer_files(release, image, roots):
    sources = {"doorward": release.binary, "ca-certificates.crt": roots}
    for source, _, _ in image.copies:
        if source not in sources:
            stop(f"deploy/Containerfile copies {source}: add it to `layer_files` in deploy/packages/image.py")
    return [PackagedFile(target, sources[source], mode) for source, target, mode in image.copies]


def configuration(release, image, layer):
    return {
        "created": created(release),
        "architecture": release.architecture.oci,
        "os": "linux",
        "config": image.config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": created(release), "created_by": "deploy/package.py"}],
    }


def index(release, manifest):
    """The tag by its OCI name; podman and containerd take the name of the image from the other annotation."""
    return {
        "schemaVersion": 2,
        "mediaType": f"{TYPE}.index.v1+json",
        "manifests": [descriptor("manifest.v1+json", manifest) | {
            "platform": {"architecture": release.architecture.oci, "os": "linux"},
            "annotations": {
                "io.containerd.image.name": f"localhost/doorward:{release.version}",
                "org.opencontainers.image.ref.name": release.version,
            },
        }],
    }


def descriptor(kind, content):
    return {"mediaType": f"{TYPE}.{kind}", "digest": f"sha256:{sha256(content)}", "size": len(content)}


def created(release):
    return datetime.datetime.fromtimestamp(release.time, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def check(path):
    """Every blob has the digest of its name and the size of its descriptor; skopeo reads the image, where it is installed."""
    with tarfile.open(path) as unpacked:
        found = {entry.name: unpacked.extractfile(entry).read() for entry in unpacked if entry.isfile()}
    manifest = blob(path, found, json.loads(found["index.json"])["manifests"][0])
    for described in [json.loads(manifest)["config"], *json.loads(manifest)["layers"]]:
        blob(path, found, described)
    if shutil.which("skopeo"):
        done = subprocess.run(["skopeo", "inspect", f"oci-archive:{path}"], capture_output=True, text=True)
        if done.returncode:
            stop(f"skopeo cannot read {path}: {done.stderr.strip()}")


def blob(path, found, described):
    content = found.get(f"blobs/{described['digest'].replace(':', '/')}", b"")
    if (f"sha256:{sha256(content)}", len(content)) != (described["digest"], described["size"]):
        stop(f"{path}: the blob {described['digest']} is missing or damaged: is the disk full?")
    return content
