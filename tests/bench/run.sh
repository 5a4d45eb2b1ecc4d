#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make bench: figures as ratios to what was measured beside them. BENCH_FULL=1 adds 10,000 environments. Never a test.
# Helm and kustomize are built once (about 3 minutes), to render beside them. KUBE=0 leaves that out, and the Kubernetes part (about 15
# minutes, half of it Flux); KUBE=1 builds the programs that it needs first.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
out=$top/build/bench
install=$top/tests/peers/install.sh
mkdir -p "$out"
"${BENCH_VALIDATE:-$top/build/release/tests/bench/bench_validate}" | tee "$out/validate.txt"
"${BENCH_SEAL:-$top/build/release/tests/bench/bench_seal}" | tee "$out/seal.txt"
"${BENCH_APPROVE:-$top/build/release/tests/bench/bench_approve}" "${BERTH:-$top/build/berth}" | tee "$out/approve.txt"
python3 "$top/tests/bench/bench.py" "$out"
python3 "$top/tests/bench/pulls_bench.py" "$out"
if [ "${KUBE:-}" != 0 ] && ! bash "$install" helm kustomize; then
	echo "rendering is not measured beside Helm and kustomize: see above"
fi
python3 "$top/tests/bench/render_bench.py" "$out"

bin=$(bash "$install" --dir)/bin
peers=yes
for p in etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok kustomize-controller; do
	[ -x "$bin/$p" ] || peers=
done
if [ "${KUBE:-}" = 0 ]; then
	echo "no Kubernetes part: KUBE=0"
elif [ -z "$peers" ] && [ "${KUBE:-}" != 1 ]; then
	echo "no Kubernetes part: its programs are not built (tests/peers/install.sh k8s flux, or KUBE=1 make bench; about 15 minutes once)"
elif bash "$install" k8s flux; then
	exec python3 "$top/tests/bench/kube_bench.py" "$out"
else
	echo "no Kubernetes part: see above"
fi
