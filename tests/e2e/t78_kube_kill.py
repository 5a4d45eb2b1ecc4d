#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A tenth of what make torture kills on a control plane."""
import os
import runpy
import sys

import kube

kube.skip_without_peers()
script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kube_torture.py")
sys.argv = [script, "50"]
runpy.run_path(script, run_name="__main__")
