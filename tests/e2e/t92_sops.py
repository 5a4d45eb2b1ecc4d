#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SOPS files both ways between berth and the real sops, by the tool in tests/unit/test_sops.c; and what single bits do to files of sops."""
import base64
import json
import os
import subprocess
import sys

import lab
import sops
from lab import check, note

TOOL = os.path.join(os.path.dirname(lab.BERTH), "tests", "unit", "test_sops")

sops.skip_without()
if not os.access(TOOL, os.X_OK):
    if os.environ.get("CI") == "true":
        check("the tool that the unit tests build is there", False, TOOL)
        lab.done()
    print("# NOT TESTED: the tool is built with the unit tests: %s" % TOOL)
    print("1..0 # SKIP no " + TOOL)
    sys.exit(0)


def tool(*args):
    return subprocess.run([TOOL, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)


KEY, RECIPIENT = tool("key").stdout.decode().split()
OTHER = "age1xvxcar6vw8getwkllwwp5mghtw0quzp48ef7jy2uytzj229n39dq7kp73r"
numbered = 0


def new(ending):
    global numbered
    numbered += 1
    return os.path.join(lab.folder, "f%d.%s" % (numbered, ending))


def opened(path):
    """{name: bytes}, or a text that says why not."""
    kind = {"json": "json", "env": "dotenv"}.get(path.rsplit(".", 1)[1], "yaml")
    p = tool("open", kind, path)
    if p.returncode:
        return p.stdout.decode() + p.stderr.decode()
    return {k: base64.b64decode(v) for k, v in json.loads(p.stdout).items()}


def text_of(v):
    return ("true" if v else "false") if isinstance(v, bool) else v if isinstance(v, str) else str(v)


def walk(v, path):
    if isinstance(v, dict):
        for k, below in v.items():
            yield from walk(below, path + (k,))
    elif isinstance(v, list):
        for below in v:
            yield from walk(below, path + (None,))
    elif isinstance(v, bool) or v not in (None, ""):
        yield path, text_of(v).encode()


def flat(v):
    """What has a value, by its name: of lists the innermost counts, by the number among values with the same keys."""
    out, seen = {}, {}
    for path, value in walk(v, ()):
        keys = tuple(k for k in path if k is not None)
        number = seen[keys] = seen.get(keys, -1) + 1
        inner = max((i for i, k in enumerate(path) if k is None), default=None)
        out[".".join(str(number) if i == inner else k for i, k in enumerate(path) if k is not None or i == inner)] = value
    return out


def both(name, ending, content, *options, keep=lambda n: True, want=None):
    """Sealed by sops it opens: to what the content says (JSON), or `want`."""
    path = new(ending)
    if not sops.encrypt(path, content, RECIPIENT, *options):
        return check(name, False, "sops does not seal it")
    want = want or {k: v for k, v in flat(json.loads(content)).items() if keep(k)}
    got = opened(path)
    check(name, got == want, got, {k: v[:60] for k, v in want.items()})
    return path


# -- files of sops ------------------------------------------------------------------------------------------------

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "w", "n": 3, "on": True, "none": None, "empty": ""},
          "data": {"KEY": "c2VjcmV0", "crt": "-----BEGIN\nline\n\n  two\n-----END\n", "uni": "gr\u00fc\u00dfe \u2028 \U0001f600", "i": -42, "big": 9007199254740993, "t": True, "f": False,
                   "empty": "", "none": None, "list": ["a", "b", ["c", {"d": "e"}], 7], "m": {"x": {"y": "deep"}}, "q": "\"' \\ #: - ? !", "yes": "no"}}
plain = json.dumps(SECRET).replace("\\ud83d\\ude00", "\U0001f600")  # YAML knows no halves of characters
below = lambda n: n.startswith("data.")  # noqa: E731
MODES = (("the default", (), lambda n: True), ("encrypted_regex", ("--encrypted-regex", "^(data|stringData)$"), below),
         ("encrypted_suffix", ("--encrypted-suffix", "ta"), lambda n: below(n) or n.startswith("metadata.")),
         ("unencrypted_suffix", ("--unencrypted-suffix", "a"), lambda n: not n.startswith(("data.", "metadata."))),
         ("unencrypted_regex", ("--unencrypted-regex", "^(apiVersion|kind|metadata)$"), below))
for word, options, keep in MODES:
    for mac in ((), ("--mac-only-encrypted",)):
        for ending in ("json", "yaml"):
            both("%s by %s%s" % (ending, word, ", the MAC over sealed values" if mac else ""), ending, plain, *options, *mac, keep=keep)

NUMBERS = """# head
n1: 0o17
n2: 0x1F
n3: 017
n4: 1.0
n5: 1e3
n6: 0.000001
n7: 1e21
n8: 5.684341886080802e-14
n9: -0.0001
n10: 12345678.9
n11: true
n12: 2024-01-02
n13: 2024-01-02T03:04:05.125+02:00
n14: 1_000
n15: 12:30
n16: yes
n17: ~
n18: '017'
n19: -9223372036854775808
n20: 1e300
n21: |
  a
   b
data: {a: x} # behind
"""
both("plain scalars count as sops counts them", "yaml", NUMBERS, "--encrypted-regex", "^data$", want={"data.a": b"x"})
both("sealed scalars open as sops prints them", "yaml", NUMBERS, want={
    "n1": b"15", "n2": b"31", "n3": b"15", "n4": b"1", "n5": b"1000", "n6": b"0.000001", "n7": b"1000000000000000000000",
    "n8": b"0.00000000000005684341886080802", "n9": b"-0.0001", "n10": b"12345678.9", "n11": b"true", "n12": b"2024-01-02T00:00:00Z",
    "n13": b"2024-01-02T03:04:05.125+02:00", "n14": b"1000", "n15": b"12:30", "n16": b"yes", "n18": b"017", "n19": b"-9223372036854775808",
    "n20": b"1" + b"0" * 300, "n21": b"a\n b\n", "data.a": b"x"})
COMMENTS = "# a\nb: # c\n  # d\n  e: f # g\n  # h\n  l:\n  # i\n  - j # k\n  # m\n  - # n\n    o: p\n  # q\n# r\n"
values = {"b.e": b"f", "b.l.0": b"j", "b.l.0.o": b"p"}
both("comments, which are list items in lists", "yaml", COMMENTS, want=values)
both("comments beside a rule", "yaml", COMMENTS + "z: plain\n", "--encrypted-regex", "^b$", want=values)
both("sealed by a comment", "yaml", "a: plain\n# seal\nb: x\nc:\n- 1\n# seal\n- 2\n", "--encrypted-comment-regex", "seal", want={"b": b"x", "c.0": b"2"})  # among the sealed ones
both("left plain by a comment", "yaml", "a: x\n# open\nb: y\n", "--unencrypted-comment-regex", "open", want={"a": b"x"})
DOCUMENTS = "a: 1\nb: x\n---\n# two\nc: y\n---\n---\nd: [z]\n"
both("several documents", "yaml", DOCUMENTS, want={"a": b"1", "b": b"x", "c": b"y", "d.0": b"z"})
both("several documents by a rule", "yaml", DOCUMENTS, "--encrypted-regex", "^[ad]$", want={"a": b"1", "d.0": b"z"})
DOTENV = "# comment\nA=1\nB=\"quoted\"\nEMPTY=\nURL=postgres://u:p@h/db?x=y=z\nML=one\\ntwo\nC= lead \n#end\n"
env = {"A": b"1", "B": b'"quoted"', "URL": b"postgres://u:p@h/db?x=y=z", "ML": b"one\ntwo", "C": b" lead "}
both("dotenv", "env", DOTENV, want=env)
both("dotenv by a rule", "env", DOTENV, "--encrypted-regex", "^[AB]$", "--mac-only-encrypted", want={k: env[k] for k in "AB"})
two = both("dotenv with two recipients", "env", DOTENV, "--age", OTHER + "," + RECIPIENT, want=env)
both("yaml with two recipients", "yaml", plain, "--age", OTHER + "," + RECIPIENT)
for n in (1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 4095, 4096, 4097, 65535, 65536, 65537, 500000):
    both("a value of %d bytes" % n, "yaml" if n % 2 else "json", json.dumps({"v": ("abcdefg\u00e9" * n)[:n], "w": "x"}))
path = new("json")
blob = bytes(range(256)) * 300
text = "\n".join(str(i) for i in range(9000)).encode()
sops.write(path, text)
p = sops.run("encrypt", "-i", "--age", RECIPIENT, "--input-type", "binary", path)
got = opened(path)
check("a binary file is one value", p.returncode == 0 and got == {"data": text}, p.stderr.decode(), str(got)[:200])

# -- what is not supported ----------------------------------------------------------------------------------------

config = sops.write(os.path.join(lab.folder, "shamir.yaml"),
                    "creation_rules:\n- shamir_threshold: 2\n  key_groups:\n  - age: [%s]\n  - age: [%s]\n" % (RECIPIENT, OTHER))
path = new("yaml")
if check("sops splits a key", sops.encrypt(path, "a: b\n", None, "--config", config)):
    check("key groups are refused by name", "key groups (Shamir)" in opened(path), opened(path))
path = new("yaml")
subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", os.path.join(lab.folder, "ssh")], check=True)
with open(os.path.join(lab.folder, "ssh.pub")) as f:
    public = " ".join(f.read().split()[:2])
if check("sops seals for an SSH key", sops.encrypt(path, "a: b\n", public)):
    check("SSH keys are refused by name", "an SSH key, which is not supported" in opened(path), opened(path))
path = new("ini")
if check("sops writes ini", sops.encrypt(path, "[a]\nb=c\n", RECIPIENT)):
    check("ini is refused by name", "ini format" in opened(path), opened(path))
path = new("yaml")
if check("sops seals for somebody else", sops.encrypt(path, "a: b\n", OTHER)):
    check("it does not open", "sealed for other recipients" in opened(path), opened(path))

# -- files of berth -----------------------------------------------------------------------------------------------

doc = sops.write(os.path.join(lab.folder, "doc.yaml"),
                 "apiVersion: v1\nkind: Secret\nmetadata:\n  name: train--secret-wandb\n  labels:\n    a: \"1\"\n    \"yes\": \"no\"\n    d: \"2026-01-01\"\n  n: 0.10\n  i: 12\n"
                 "  b: true\n  none: null\n  l: [x, 1e21]\ntype: Opaque\n")
args, want = [], {}
for i, size in enumerate((0, 1, 16, 3000, 65536, 200000)):
    args += ["k%d" % i, sops.write(os.path.join(lab.folder, "v%d" % i), base64.b64encode(blob)[:size])]
    want["k%d" % i] = base64.b64encode(blob)[:size].decode()
p = tool("seal", doc, *args)
check("the same inputs give the same bytes", p.returncode == 0 and p.stdout == tool("seal", doc, *args).stdout, p.stdout.decode()[:500])
large = sops.write(os.path.join(lab.folder, "large"), base64.b64encode(blob * 10))
made = tool("seal", doc, "large", large)
got = sops.decrypt_json(sops.write(new("yaml"), made.stdout), KEY) or {"data": {}}
check("the largest value that a sealed file can hold", got["data"].get("large") == base64.b64encode(blob * 10).decode(), made.stdout[:300].decode())
path = sops.write(new("yaml"), p.stdout)
for how in ("json", "yaml"):
    p = sops.run("decrypt", "--output-type", how, path, key=KEY)
    check("sops opens it, as " + how, p.returncode == 0, p.stderr.decode())
got = sops.decrypt_json(path, KEY) or {}
check("to the same values", got.get("data") == want and got.get("metadata", {}).get("name") == "train--secret-wandb", str(got)[:500])
check("and what it does not seal stays", list(got) == ["apiVersion", "kind", "metadata", "type", "data"] and got["metadata"]["labels"]["yes"] == "no", str(got)[:500])
p = sops.run("set", path, '["data"]["k1"]', '"changed"', key=KEY)
check("sops changes a value of it", p.returncode == 0, p.stderr.decode())
want["k1"] = "changed"
want_bytes = {"data." + k: v.encode() for k, v in want.items() if v}
check("and berth opens that", opened(path) == want_bytes, str(opened(path))[:300])
editor = sops.write(os.path.join(lab.folder, "editor.sh"), "#!/bin/sh\nsed -i 's/k1: changed/k1: edited/; s/^type:.*/# said\\ntype: Opaque2/' \"$1\"\n")
os.chmod(editor, 0o755)
p = sops.run("edit", path, key=KEY, env={"EDITOR": editor})
want_bytes["data.k1"] = b"edited"
check("sops edits it", p.returncode == 0, p.stderr.decode(), p.stdout.decode())
check("and berth opens that too", opened(path) == want_bytes, str(opened(path))[:300])
p = sops.run("rotate", "-i", "--add-age", OTHER, path, key=KEY)
check("sops makes a new data key and adds a recipient", p.returncode == 0 and opened(path) == want_bytes, p.stderr.decode(), str(opened(path))[:300])

# -- single bits --------------------------------------------------------------------------------------------------

SMALL = "apiVersion: v1\nkind: Secret\n# why\nmetadata:\n  name: w\ndata:\n  # in\n  K: c2VjcmV0\n  l:\n  # item\n  - x\n  n: 42\n  t: true\n"
BITS = (("yaml by a rule, two recipients", "yaml", SMALL, ("--encrypted-regex", "^data$", "--age", OTHER + "," + RECIPIENT), 19),
        ("yaml, the MAC over sealed values", "yaml", SMALL, ("--encrypted-regex", "^data$", "--mac-only-encrypted"), 17),
        ("yaml, all sealed", "yaml", SMALL, (), 17), ("json", "json", json.dumps({"a": {"b": "c", "n": 1}, "d": ["e"], "z_unencrypted": "p"}), (), 11),
        ("dotenv", "env", "# c\nA=1\nB=two\nC_unencrypted=x\n", (), 11))
tried = 0
for name, ending, content, options, step in BITS:
    path = new(ending)
    kind = {"env": "dotenv"}.get(ending, ending)
    if not sops.encrypt(path, content, RECIPIENT, *options):
        check(name, False)
        continue
    p = tool("flip", kind, path, str(step))
    lines = p.stdout.decode().split("\n")
    n = int(lines[-2].split()[1]) if p.returncode == 0 else 0
    taken = [int(line) for line in lines[:-2]]
    tried += n
    check("%s: %d single bits, %d of them unnoticed, and no other value" % (name, n, len(taken)), p.returncode == 0 and n > len(taken) >= 0, p.stderr.decode())
    # what berth takes real sops takes too, and gives the same: a sample of them, spread over the file
    with open(path, "rb") as f:
        whole = f.read()
    good, bad, odd = sops.decrypt_json(path, KEY), new(ending), []
    for bit in taken[::max(1, len(taken) // 8)]:
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        sops.write(bad, bytes(changed))
        got = sops.decrypt_json(bad, KEY)
        sealed = opened(bad)
        line = whole[whole.rfind(b"\n", 0, bit // 8) + 1:].split(b"\n")[0]
        if b"encrypted_" in line or b"comment]" in line:  # sops goes by the rule, berth by what is sealed and by the MAC
            continue
        if got is None or any(flat(got).get(k) != v for k, v in sealed.items()):
            odd.append("bit %d: %r: %r" % (bit, line[:70], got))
    check("%s: sops takes those too" % name, not odd, *odd)
check("1,000 single bits", tried >= 1000, tried)
note("%d bits in all" % tried)

# -- in a repository ----------------------------------------------------------------------------------------------

site = lab.Site("site")
master = os.path.join(lab.folder, "master")
made = lab.berth("keygen", "-o", master)
signer = made.out.split('signer: "')[1].split('"')[0] if made.rc == 0 else ""
with open(os.path.join(site.clone, "berth.yaml")) as f:
    org = f.read()
sops.write(os.path.join(site.clone, "berth.yaml"), org.replace("\nspec:\n", '\nspec:\n  secrets: {signer: "%s"}\n' % signer))
said = lab.berth("recipients", "alice", "--key", master, "-o", "json", cwd=site.clone)
recipient = said.json()["recipient"] if said.rc == 0 else OTHER
sops.write(os.path.join(site.clone, ".sops.yaml"),
           "creation_rules:\n- path_regex: ^envs/alice/secrets/[^/]+\\.sops\\.\n  age: %s,%s\n" % (recipient, RECIPIENT))
name = "envs/alice/secrets/team.sops."
os.makedirs(os.path.join(site.clone, "envs/alice/secrets"), exist_ok=True)
for ending, content in (("yaml", "token: abc\ns3: {key: a, secret: b}\n"), ("json", '{"token": "abc", "s3": {"key": "a", "secret": "b"}}'),
                        ("env", "token=abc\ns3.key=a\ns3.secret=b\n")):
    sops.write(os.path.join(site.clone, name + ending), content)
    p = sops.run("encrypt", "-i", name + ending, cwd=site.clone)
    said = lab.berth("open", "--key", master, "-o", "json", name + ending, cwd=site.clone)
    check("%s: sealed by the repository's rules it opens where it is" % ending,
          p.returncode == 0 and said.rc == 0 and said.json() == {"token": "abc", "s3.key": "a", "s3.secret": "b"}, p.stderr.decode(), said)
    check("%s: and by the person's own key" % ending, opened(os.path.join(site.clone, name + ending)) == {"token": b"abc", "s3.key": b"a", "s3.secret": b"b"})
os.makedirs(os.path.join(site.clone, "envs/bo/secrets"), exist_ok=True)
with open(os.path.join(site.clone, name + "yaml"), "rb") as f:
    sops.write(os.path.join(site.clone, "envs/bo/secrets/team.sops.yaml"), f.read())
said = lab.berth("open", "--key", master, "envs/bo/secrets/team.sops.yaml", cwd=site.clone)
check("copied to somebody else's folder it does not", said.rc != 0 and "not sealed for bo" in said.err and "abc" not in said.out + said.err, said)
p = sops.run("updatekeys", "-y", name + "yaml", key=KEY, cwd=site.clone)
check("`sops updatekeys` leaves it as it is", p.returncode == 0 and lab.berth("open", "--key", master, name + "yaml", cwd=site.clone).rc == 0, p.stderr.decode())
lab.done()
