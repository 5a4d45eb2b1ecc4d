# SPDX-License-Identifier: Apache-2.0
"""What the answers of GitHub and GitLab have in them, by their published descriptions, and a check of a value against it.

GitHub: the OpenAPI description of api.github.com, version 2022-11-28 (github/rest-api-description), its component schemas by name, and for what hooks
send octokit/webhooks (payload-schemas). GitLab: the REST API v4 as its entities say it (doc/api/*.md, lib/api/entities) and webhook_events.md.

A row is "type: names". int str bool num map list any; time is a date and time as that forge writes it; @NAME is another shape, [@NAME] a list of it; "?" may be
null; a row that begins with "~" is of names that may be missing. Names that stand nowhere are wrong as well.
"""
import re

USER_URLS = ("avatar_url events_url followers_url following_url gists_url html_url organizations_url received_events_url repos_url starred_url "
             "subscriptions_url url")
REPO_URLS = ("archive_url assignees_url blobs_url branches_url clone_url collaborators_url comments_url commits_url compare_url contents_url "
             "contributors_url deployments_url downloads_url events_url forks_url git_commits_url git_refs_url git_tags_url git_url hooks_url html_url "
             "issue_comment_url issue_events_url issues_url keys_url labels_url languages_url merges_url milestones_url notifications_url pulls_url "
             "releases_url ssh_url stargazers_url statuses_url subscribers_url subscription_url svn_url tags_url teams_url trees_url url")
PULL_URLS = ("comments_url commits_url diff_url html_url issue_url patch_url review_comment_url review_comments_url statuses_url url")
SIMPLE = ["bool: locked", "int: id number", "list: labels", "@links: _links", "@end: base head", "map?: auto_merge milestone", "@simple-user?: assignee",
          "str: author_association node_id state title " + PULL_URLS, "str?: body merge_commit_sha", "time: created_at updated_at",
          "time?: closed_at merged_at", "~[@simple-user]: assignees requested_reviewers", "~bool: draft", "~list: requested_teams", "~map?: stack",
          "~str?: active_lock_reason"]

REPOSITORY = ["@simple-user: owner", "bool: archived disabled fork has_downloads has_issues has_pages has_projects has_wiki private",
              "int: forks forks_count id open_issues open_issues_count size stargazers_count watchers watchers_count", "map?: license",
              "str: default_branch full_name name node_id " + REPO_URLS, "str?: description homepage language mirror_url",
              "time?: created_at pushed_at updated_at", "~str: visibility", "~list: topics", "~map: permissions"]

GITHUB = {
    "simple-user": ["bool: site_admin", "int: id", "str: login node_id type " + USER_URLS, "str?: gravatar_id", "~str: starred_at user_view_type",
                    "~str?: email name"],
    "public-user": ["bool: site_admin", "bool?: hireable", "int: followers following id public_gists public_repos", "str: login node_id type " + USER_URLS,
                    "str?: bio blog company email gravatar_id location name", "time: created_at updated_at", "~str: user_view_type",
                    "~int: collaborators disk_usage owned_private_repos private_gists total_private_repos", "~map: plan",
                    "~str?: notification_email twitter_username"],
    "repository": REPOSITORY + ["~bool: has_discussions"],
    "full-repository": REPOSITORY + ["int: network_count subscribers_count", "bool: has_discussions"],
    "links": ["@link: comments commits html issue review_comment review_comments self statuses"],
    "link": ["str: href"],
    "end": ["str: label ref sha", "@repository?: repo", "@simple-user?: user"],
    "pull-request-simple": SIMPLE + ["@simple-user?: user"],
    "pull-request": SIMPLE + ["@simple-user: user", "@simple-user?: merged_by", "bool: maintainer_can_modify merged", "bool?: mergeable", "~bool?: rebaseable",
                              "int: additions changed_files comments commits deletions review_comments", "str: mergeable_state"],
    "pull-request-review": ["@simple-user?: user", "int: id", "map: _links", "str: author_association body html_url node_id pull_request_url state",
                            "str?: commit_id", "~str: body_html body_text", "~time: submitted_at"],
    "issue-comment": ["@simple-user?: user", "int: id", "str: html_url issue_url node_id url", "time: created_at updated_at",
                      "~str: author_association body body_html body_text", "~map: reactions", "~map?: minimized performed_via_github_app pin"],
    "issue-event": ["@simple-user?: actor", "int: id", "str: event node_id url", "str?: commit_id commit_url", "time: created_at",
                    "~map?: performed_via_github_app"],
    "status": ["@simple-user?: creator", "int: id", "str: context node_id state url", "str?: avatar_url description target_url", "time: created_at updated_at"],
    "basic-error": ["~str: message documentation_url url status"],
    "validation-error": ["str: message documentation_url", "~list: errors", "~str: status"],
    "hook push": ["str: ref before after compare", "bool: created deleted forced", "str?: base_ref", "list: commits", "map?: head_commit", "map: pusher",
                  "@repository: repository", "@simple-user: sender"],
    "hook pull_request": ["str: action", "int: number", "@pull-request: pull_request", "@repository: repository", "@simple-user: sender",
                          "~str: before after"],
    "hook pull_request_review": ["str: action", "@pull-request-review: review", "@pull-request-simple: pull_request", "@repository: repository",
                                 "@simple-user: sender"],
    "hook issue_comment": ["str: action", "map: issue", "@issue-comment: comment", "@repository: repository", "@simple-user: sender"],
}

BASIC = ["int: id iid project_id source_project_id target_project_id user_notes_count upvotes downvotes", "str: title state target_branch source_branch",
         "str: merge_status detailed_merge_status reference web_url", "str?: description merge_commit_sha squash_commit_sha sha imported_from",
         "time: created_at updated_at", "time?: merged_at closed_at prepared_at merge_after", "@user?: merged_by merge_user closed_by assignee author",
         "[@user]: assignees reviewers", "list: labels", "map?: milestone", "bool?: discussion_locked should_remove_source_branch force_remove_source_branch",
         "bool: draft imported work_in_progress merge_when_pipeline_succeeds squash squash_on_merge has_conflicts blocking_discussions_resolved",
         "map: references time_stats task_completion_status", "~bool: allow_collaboration allow_maintainer_to_push"]
NOTE = ["int: id noteable_id noteable_iid project_id", "str?: type imported_from", "str: body noteable_type", "@user?: author", "time: created_at updated_at",
        "bool: system resolvable confidential internal imported", "map: commands_changes", "~bool: resolved", "~@user?: resolved_by", "~time?: resolved_at",
        "~any: attachment", "~str: commit_id", "~@position: position", "~list: suggestions"]

GITLAB = {
    "user": ["int: id", "str: username name state web_url", "str?: avatar_url public_email", "~bool: locked"],
    "current-user": ["int: id", "str: username name state web_url", "str?: avatar_url public_email", "~bool: locked bot external private_profile",
                     "~str?: bio location linkedin twitter organization job_title pronouns email commit_email", "~time?: created_at confirmed_at last_sign_in_at",
                     "~int: followers following namespace_id"],
    "project": ["int: id forks_count star_count", "str: name name_with_namespace path path_with_namespace ssh_url_to_repo http_url_to_repo web_url visibility",
                "str?: description default_branch readme_url avatar_url", "time: created_at last_activity_at", "list: tag_list topics", "map: namespace permissions"],
    "token": ["int: id user_id", "str: name", "str?: description expires_at", "bool: revoked active", "time: created_at", "time?: last_used_at", "list: scopes"],
    "merge-request-basic": BASIC,
    "merge-request": BASIC + ["bool: subscribed first_contribution", "str?: changes_count merge_error", "@diff-refs?: diff_refs", "map?: pipeline head_pipeline",
                              "map: user", "time?: latest_build_started_at latest_build_finished_at first_deployed_to_production_at"],
    "diff-refs": ["str?: base_sha head_sha start_sha"],
    "approvals": ["bool: user_has_approved user_can_approve approved", "[@approval]: approved_by"],
    "approval": ["@user: user", "~time: approved_at"],
    "version": ["int: id merge_request_id", "str: head_commit_sha base_commit_sha start_commit_sha state real_size", "str?: patch_id_sha", "time: created_at"],
    "note": NOTE,
    "discussion": ["str: id", "bool: individual_note", "[@note]: notes"],
    "position": ["str: base_sha start_sha head_sha position_type", "str?: old_path new_path", "int?: old_line new_line", "map?: line_range"],
    "commit-status": ["int: id", "str: sha ref status name", "str?: target_url description", "time: created_at", "time?: started_at finished_at",
                      "bool: allow_failure", "num?: coverage", "@user: author", "~int: pipeline_id"],
    "error": ["~any: message error", "~str: error_description"],
    "hook push": ["str: object_kind event_name before after ref user_name user_username", "str?: checkout_sha message user_email user_avatar",
                  "bool: ref_protected", "int: user_id project_id total_commits_count", "map: project repository", "list: commits", "~map: push_options"],
    "hook merge_request": ["str: object_kind event_type", "map: user project repository object_attributes changes", "list: labels assignees",
                           "~list: reviewers"],
    "hook note": ["str: object_kind event_type", "map: user project repository object_attributes merge_request", "int: project_id"],
}

TIMES = {"github": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "gitlab": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")}
SHAPES = {"github": GITHUB, "gitlab": GITLAB}
PLAIN = {"int": lambda v: isinstance(v, int) and not isinstance(v, bool), "str": lambda v: isinstance(v, str), "bool": lambda v: isinstance(v, bool),
         "num": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool), "map": lambda v: isinstance(v, dict),
         "list": lambda v: isinstance(v, list), "any": lambda v: True}


def is_of(kind, row, v, where):
    if row.endswith("?"):
        if v is None:
            return []
        row = row[:-1]
    if row.startswith("["):
        return wrong(kind, row, v, where)
    if row.startswith("@"):
        return wrong(kind, row[1:], v, where)
    if row == "time":
        return [] if isinstance(v, str) and TIMES[kind].fullmatch(v) else ["%s is no time: %r" % (where, v)]
    return [] if PLAIN[row](v) else ["%s is no %s: %r" % (where, row, v)]


def wrong(kind, shape, v, where="answer"):
    """What is not as described, a line each; nothing is fine. `shape`: a name, or "[@name]" of a list."""
    if shape.startswith("["):
        if not isinstance(v, list):
            return ["%s is no list" % where]
        return [w for i, x in enumerate(v) for w in is_of(kind, shape[1:-1], x, "%s[%d]" % (where, i))]
    if not isinstance(v, dict):
        return ["%s is no object" % where]
    found, known = [], set()
    for row in SHAPES[kind][shape]:
        what, _, names = row.partition(": ")
        for name in names.split():
            known.add(name)
            if name in v:
                found += is_of(kind, what.lstrip("~"), v[name], where + "." + name)
            elif not what.startswith("~"):
                found.append("%s.%s is missing (%s)" % (where, name, shape))
    return found + ["%s.%s is not described (%s)" % (where, k, shape) for k in v if k not in known]
