#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""approvals.mode: forge on GitHub, against answers as its API description has them: whose review counts, and of what."""
import forge_story

forge_story.reviewed("github")
