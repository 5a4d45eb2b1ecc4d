# SPDX-License-Identifier: Apache-2.0
"""Plays the cloud of a simulated cluster: makes, grows and deletes volumes, gives load balancers an address.

usage: cloud.py SERVER CA-FILE TOKEN-FILE [FOLDER]

Classes with the provisioner berth.test/volumes get volumes; a volume that one node mounts stays in that node's zone, as a
disk does; with FOLDER volumes are real folders in it, for a real node. Services of type LoadBalancer without a loadBalancerClass get an address of 192.0.2.0/24 (RFC 5737).
"""
import http.client
import json
import os
import shutil
import ssl
import sys
import threading
import time
import urllib.parse

SERVER = urllib.parse.urlparse(sys.argv[1])
TLS = ssl.create_default_context(cafile=sys.argv[2])
NAME = "berth.test/volumes"
ZONE = "topology.kubernetes.io/zone"
PROVISIONER, NODE = "volume.kubernetes.io/storage-provisioner", "volume.kubernetes.io/selected-node"
MERGE = "application/merge-patch+json"
FOLDER = sys.argv[4] if len(sys.argv) > 4 else ""
with open(sys.argv[3], encoding="utf-8") as f:
    TOKEN = f.read().strip()


class Api:
    def __init__(self):
        self.http = http.client.HTTPSConnection(SERVER.hostname, SERVER.port, context=TLS)

    def open(self, method, path, body=None, kind="application/json"):
        self.http.request(method, path, json.dumps(body) if body is not None else None,
                          {"Authorization": "Bearer " + TOKEN, "Content-Type": kind, "User-Agent": "cloud"})
        return self.http.getresponse()

    def call(self, *args):
        answer = self.open(*args)
        text = answer.read()
        return answer.status, json.loads(text) if text else {}


def quantity(text):
    units = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
    number = text.rstrip("KMGTik")
    return float(number) * units[text[len(number):]]


def on_disk(volume, uid, node):
    """Makes it a folder; the kubelet gives that to the pod's group, as it does with a disk, and not with a hostPath."""
    where = os.path.join(FOLDER, uid)
    os.makedirs(where, exist_ok=True)
    del volume["spec"]["hostPath"]
    volume["spec"]["local"] = {"path": where}
    host = {"key": "kubernetes.io/hostname", **({"operator": "In", "values": [node]} if node else {"operator": "Exists"})}
    volume["spec"]["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}}


def new_volume(api, claim):
    meta, spec = claim["metadata"], claim["spec"]
    volume = {"apiVersion": "v1", "kind": "PersistentVolume",
              "metadata": {"name": "pvc-" + meta["uid"], "annotations": {"pv.kubernetes.io/provisioned-by": NAME}},
              "spec": {"capacity": spec["resources"]["requests"], "accessModes": spec["accessModes"],
                       "storageClassName": spec["storageClassName"], "persistentVolumeReclaimPolicy": "Delete",
                       "volumeMode": spec.get("volumeMode", "Filesystem"), "hostPath": {"path": "/nowhere/" + meta["uid"]},
                       "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": meta["name"],
                                    "namespace": meta["namespace"], "uid": meta["uid"]}}}
    node = meta["annotations"].get(NODE)
    if FOLDER:
        on_disk(volume, meta["uid"], node)
    elif node and "ReadWriteMany" not in spec["accessModes"]:
        zone = api.call("GET", "/api/v1/nodes/" + node)[1].get("metadata", {}).get("labels", {}).get(ZONE)
        if zone:
            term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}
            volume["spec"]["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    return api.call("POST", "/api/v1/persistentvolumes", volume)


def on_claim(api, claim):
    meta, spec, status = claim["metadata"], claim["spec"], claim.get("status", {})
    if meta.get("annotations", {}).get(PROVISIONER) != NAME or meta.get("deletionTimestamp"):
        return
    if status.get("phase") == "Pending" and not spec.get("volumeName"):
        new_volume(api, claim)
    elif status.get("phase") == "Bound":
        want, have = spec["resources"]["requests"]["storage"], status.get("capacity", {}).get("storage", "0")
        if quantity(want) > quantity(have):
            api.call("PATCH", "/api/v1/persistentvolumes/" + spec["volumeName"], {"spec": {"capacity": {"storage": want}}}, MERGE)
            api.call("PATCH", "/api/v1/namespaces/%(namespace)s/persistentvolumeclaims/%(name)s/status" % meta,
                     {"status": {"capacity": {"storage": want}}}, MERGE)


def on_volume(api, volume):
    meta, spec = volume["metadata"], volume["spec"]
    if (meta.get("annotations", {}).get("pv.kubernetes.io/provisioned-by") == NAME and not meta.get("deletionTimestamp") and
            volume.get("status", {}).get("phase") == "Released" and spec["persistentVolumeReclaimPolicy"] == "Delete"):
        api.call("DELETE", "/api/v1/persistentvolumes/" + meta["name"])
        if FOLDER:
            shutil.rmtree(os.path.join(FOLDER, os.path.basename(spec["local"]["path"])), ignore_errors=True)


def on_service(api, service):
    meta, spec = service["metadata"], service["spec"]
    if spec.get("type") != "LoadBalancer" or spec.get("loadBalancerClass") or service.get("status", {}).get("loadBalancer"):
        return
    address = "192.0.2.%d" % (1 + hash(meta["uid"]) % 254)
    api.call("PATCH", "/api/v1/namespaces/%(namespace)s/services/%(name)s/status" % meta,
             {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}, MERGE)


def follow(what, handle):
    """Lists and watches for ever; what is missed by an error comes again with the next list."""
    while True:
        try:
            api, path = Api(), "/api/v1/" + what
            status, found = api.call("GET", path)
            if status != 200:
                raise OSError("%d for %s" % (status, path))
            for item in found["items"]:
                handle(api, item)
            stream = Api().open("GET", "%s?watch=1&resourceVersion=%s" % (path, found["metadata"]["resourceVersion"]))
            for line in stream:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    break
                if event["type"] != "DELETED":
                    handle(api, event["object"])
        except Exception as e:  # pylint: disable=broad-except
            print("%s: %r" % (what, e), flush=True)
            time.sleep(0.5)


for job in (("persistentvolumeclaims", on_claim), ("persistentvolumes", on_volume), ("services", on_service)):
    threading.Thread(target=follow, args=job, daemon=True).start()
threading.Event().wait()
