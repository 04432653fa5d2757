"""Reads deploy/Containerfile, so that both images, podman's and ours, have the same content and settings."""
import json
import shlex
from dataclasses import dataclass, field

from packages.release import stop


@dataclass
class Image:
    # (source, path in the image, mode)
    copies: list = field(default_factory=list)
    # by the names of the OCI image configuration
    config: dict = field(default_factory=dict)


def parse(text):
    """The image that the instructions describe. Of the format only what the Containerfile uses is read."""
    image = Image()
    for name, arguments in instructions(text):
        apply(image, name, arguments)
    return image


def instructions(text):
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, arguments = line.strip().partition(" ")
            yield name, arguments.strip()


def apply(image, name, arguments):
    match name, shlex.split(arguments):
        case "FROM", ["scratch"]:
            pass
        case "COPY", [option, source, target] if option.startswith("--chmod=0") and target.startswith("/"):
            image.copies.append((source, target.removeprefix("/"), int(option.removeprefix("--chmod="), 8)))
        case "USER", [user]:
            image.config["User"] = user
        case "EXPOSE", ports:
            image.config["ExposedPorts"] = {f"{port}/tcp": {} for port in ports}
        case ("ENTRYPOINT" | "CMD"), _:
            image.config[name.capitalize()] = json.loads(arguments)
        case "LABEL", pairs:
            image.config["Labels"] = dict(pair.split("=", 1) for pair in pairs)
        case _:
            stop(f"deploy/Containerfile has `{name} {arguments}`: teach `apply` in deploy/packages/containerfile.py what it means")
