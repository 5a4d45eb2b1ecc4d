#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Merge requests on GitLab from the branch to the result, against answers as its API description has them."""
import forge_story

forge_story.signed("gitlab")
