#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Datasets in a bucket: copied from a real S3 server by rclone and by aws, and read object by object with berth-data."""
import hashlib
import os
import shutil
import socket
import subprocess
import sys

import lab
from lab import check
from pod import DataPod, data_row, fill, tree


def s3_server(folder, port, key, secret):
    """The arguments of a real S3 server over a folder, when there is one. gofakes3 takes any key."""
    rclone, other = shutil.which("rclone"), shutil.which("gofakes3")
    if rclone and "serve s3" in subprocess.run([rclone, "serve", "s3", "--help"], capture_output=True, text=True).stdout:
        return [rclone, "serve", "s3", folder, "--addr", "127.0.0.1:%d" % port, "--auth-key", key + "," + secret, "--force-path-style"]
    if other:
        return [other, "-host", "127.0.0.1:%d" % port, "-backend", "directfs", "-directfs.create", "-directfs.path", os.path.join(folder, "data"), "-directfs.bucket", "data",
                "-directfs.meta", os.path.join(folder, "meta")]
    return None


port, key, secret = lab.free_port(), "AKIAEXAMPLE", "throw-away-secret"
bucket = os.path.join(lab.folder, "buckets")
server = s3_server(bucket, port, key, secret)
clients = [c for c in ("rclone", "aws") if shutil.which(c)]
if not server or not clients:
    print("1..0 # SKIP no S3 server (rclone 1.65 or newer, or gofakes3) or no client (rclone, aws): copies from buckets were not tried")
    sys.exit(0)
fill(os.path.join(bucket, "data", "img"))
for name in ("new\nline", "deep/*"):  # a client's names, not ours
    os.unlink(os.path.join(bucket, "data", "img", name))
lab.processes.append(subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
if not lab.until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0):
    sys.exit("the S3 server does not answer")
wanted = {p: d for p, d in tree(os.path.join(bucket, "data", "img")).items()}
for client in clients:
    pod = DataPod("s3-" + client)
    # all programs of this machine but the other clients; with the toolbox's last folder in it, PATH is taken as it is
    only = os.path.join(pod.top, "programs")
    os.makedirs(only)
    for path in ["/bin", "/usr/bin", os.path.dirname(shutil.which(client))]:
        for name in os.listdir(path):
            if (name == client or name not in clients) and not os.path.lexists(os.path.join(only, name)):
                os.symlink(os.path.join(path, name), os.path.join(only, name))
    pod.env["PATH"] = only + os.pathsep + os.path.join(pod.top, "toolbox", "busybox")
    endpoint = "http://127.0.0.1:%d" % port
    pod.write("datasets", data_row(pod, "pics", "nvme", "s3", endpoint, "data", "img/"), data_row(pod, "far", "stream", "s3", endpoint, "data", "img"))
    pod.env["AWS_EC2_METADATA_DISABLED"] = "true"
    pod.start()
    text = pod.until("datasets", "failed", "ready")
    check("%s: without a key it fails, and says so" % client, text.startswith("failed: pics:"), text, pod.why())
    for name in ("pics", "far"):
        os.makedirs(os.path.join(pod.keys, name))
        for variable, value in (("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret)):
            with open(os.path.join(pod.keys, name, variable), "w") as f:
                f.write(value)
    text = pod.until("datasets", "ready")
    check("%s: with it, the copy is the same" % client, text == "ready: 2" and {p: d for p, d in tree(pod.data("pics")).items()} == wanted, text,
          sorted(tree(pod.data("pics"))), pod.why())
    check("%s: it was this client" % client, [c for c in clients if os.path.exists(os.path.join(only, c))] == [client])
    check("%s: the key is in no log" % client, secret not in pod.why())
    data = os.path.join(pod.run, ".berth", "bin", "berth-data")
    said = subprocess.run([data, "cat", "far", "with space"], env=pod.env, capture_output=True)
    check("%s: berth-data reads one object" % client, hashlib.sha256(said.stdout).hexdigest() == wanted["with space"], said.stderr.decode())
    said = subprocess.run([data, "list", "far"], env=pod.env, capture_output=True, text=True)
    check("%s: and lists them" % client, "with space" in said.stdout and "deep/er/file" in said.stdout, said.stdout + said.stderr)
    pod.stop()
lab.done()
