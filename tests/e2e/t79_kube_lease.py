#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A handful of the pauses of make torture, which of two may write."""
import os
import runpy
import sys

import kube

kube.skip_without_peers()
script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kube_pauses.py")
sys.argv = [script, "4", "2"]
runpy.run_path(script, run_name="__main__")
