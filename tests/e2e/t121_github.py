#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pull requests on GitHub from the branch to the result, against answers as its API description has them."""
import forge_story

forge_story.signed("github")
