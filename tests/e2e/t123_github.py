#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with pull requests on GitHub, and who tries it, against answers as its API description has them."""
import forge_story

forge_story.troubled("github")
