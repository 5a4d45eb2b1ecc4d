# SPDX-License-Identifier: Apache-2.0
"""An OCI image archive from layers: what `ctr images import` takes.

usage: image.py OUT.tar NAME[:TAG] LAYER.tar... [-- COMMAND...]

Layers are plain tar files, lowest first; they are copied as they are, so that images that share some are stored once.
"""
import hashlib
import io
import json
import os
import sys
import tarfile

MEDIA = "application/vnd.oci.image."
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for part in iter(lambda: f.read(1 << 20), b""):
            h.update(part)
    return "sha256:" + h.hexdigest()


class Archive:
    def __init__(self, out):
        self.tar, self.have = tarfile.open(out, "w"), set()

    def text(self, name, thing):
        """Adds a JSON document under a name, or as a blob when there is none; its descriptor without media type."""
        data = json.dumps(thing, sort_keys=True).encode()
        found = "sha256:" + hashlib.sha256(data).hexdigest()
        info = tarfile.TarInfo(name or "blobs/sha256/" + found[7:])
        info.size = len(data)
        self.tar.addfile(info, io.BytesIO(data))
        return {"digest": found, "size": len(data)}

    def layer(self, path):
        found = digest(path)
        if found not in self.have:
            self.have.add(found)
            info = tarfile.TarInfo("blobs/sha256/" + found[7:])
            info.size = os.path.getsize(path)
            with open(path, "rb") as f:
                self.tar.addfile(info, f)
        return {"mediaType": MEDIA + "layer.v1.tar", "digest": found, "size": os.path.getsize(path)}


def main(out, name, *rest):
    cut = rest.index("--") if "--" in rest else len(rest)
    paths, command = rest[:cut], list(rest[cut + 1:])
    a = Archive(out + ".new")
    a.text("oci-layout", {"imageLayoutVersion": "1.0.0"})
    layers = [a.layer(p) for p in paths]
    config = {"architecture": ARCH.get(os.uname().machine, os.uname().machine), "os": "linux",
              "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": command or ["/bin/sh"]},
              "rootfs": {"type": "layers", "diff_ids": [x["digest"] for x in layers]}}
    manifest = {"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json", "layers": layers,
                "config": {"mediaType": MEDIA + "config.v1+json", **a.text(None, config)}}
    top = {"mediaType": MEDIA + "manifest.v1+json", **a.text(None, manifest), "annotations": {"io.containerd.image.name": name}}
    a.text("index.json", {"schemaVersion": 2, "manifests": [top]})
    a.tar.close()
    os.rename(out + ".new", out)


if len(sys.argv) < 4:
    sys.exit(__doc__)
main(*sys.argv[1:])
