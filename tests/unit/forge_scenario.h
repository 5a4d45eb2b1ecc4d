/* SPDX-License-Identifier: Apache-2.0 */
/* What test_forge.c plays on all three forges: the same calls, their requests and answers. */
#pragma once

#include "unit/forge_peer.h"

#define HEAD7 "4f2c9d1e0b7a5c3d2e1f00112233445566778899"
#define OLD7 "0123456789abcdef0123456789abcdef01234567"
#define HEAD9 "9c1e2aa3b4c5d6e7f8091a2b3c4d5e6f70819203"
#define HEAD5 "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
#define MERGE5 "7be01d2f3a4b5c6d7e8f90a1b2c3d4e5f6071829"
#define HEAD12 "12ab34cd12ab34cd12ab34cd12ab34cd12ab34cd"
#define BASE "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"

#define GH "/repos/example/envs"
#define GL "/projects/example%2Fteam%2Fenvs"
#define MR GL "/merge_requests"
#define HUB "GET " GH "/pulls?state=open&sort=created&direction=asc&per_page="
#define TEA "GET " GH "/pulls?state=open&sort=oldest&limit="
#define NEXT "Link: <https://evil.example/?page=2>; rel=\"next\", <https://evil.example/?page=3>; rel=\"last\"\r\n"

static const struct exchange github_scenario[] = {
	{ .ask = "GET /user", .has = { "Authorization: Bearer forge-token-1\r\n", "Accept: application/vnd.github+json\r\n",
	                               "X-GitHub-Api-Version: 2022-11-28\r\n", "User-Agent: berth" }, .status = "200 OK", .file = "user" },
	{ .ask = "GET " GH "/pulls?state=open&sort=created&direction=asc&per_page=50&page=1", .has = { "!If-None-Match" },
	  .status = "200 OK", .headers = "ETag: W/\"one\"\r\n", .file = "pulls" },
	{ .ask = "GET " GH "/pulls?state=open&sort=created&direction=asc&per_page=50&page=1", .has = { "If-None-Match: W/\"one\"\r\n" },
	  .status = "304 Not Modified" },
	{ .ask = "GET " GH "/pulls/7", .status = "200 OK", .file = "pull7" },
	{ .ask = "GET " GH "/commits/" MERGE5 "/pulls?per_page=50&page=1", .status = "200 OK", .file = "of" },
	{ .ask = "GET " GH "/commits/" OLD7 "/pulls?per_page=50&page=1", .status = "422 No", .text = "{\"message\": \"No commit found for SHA\"}" },
	{ .ask = "POST " GH "/statuses/" HEAD7, .has = { "Content-Type: application/json\r\n", "{\"state\":\"success\",\"context\":\"berth/plan\",",
	                                                 "\"description\":\"1 update\"", "\"target_url\":\"https://berth.example/alice/train\"}" },
	  .status = "201 Created", .file = "status" },
	{ .ask = "GET " GH "/issues/7/comments?per_page=50&page=1", .status = "200 OK", .file = "comments" },
	{ .ask = "POST " GH "/issues/7/comments", .has = { "{\"body\":\"one\\ntwo\"}" }, .status = "201 Created", .file = "comment" },
	{ .ask = "PATCH " GH "/issues/comments/45", .has = { "{\"body\":\"three\"}" }, .status = "200 OK", .file = "comment" },
	{ .ask = "GET " GH "/pulls/7/reviews?per_page=50&page=1", .status = "200 OK", .file = "reviews" },
	{ .ask = "POST " GH "/pulls/7/reviews",
	  .has = { "\"commit_id\":\"" HEAD7 "\"", "\"event\":\"COMMENT\"", "\"body\":\"2 findings\"",
	           "{\"path\":\"envs/alice/train.yaml\",\"body\":\"E102: unknown field\",\"line\":4,\"side\":\"RIGHT\"}" },
	  .status = "422 Unprocessable Entity", .file = "outside" },
	{ .ask = "POST " GH "/pulls/7/reviews",
	  .has = { "\"comments\":[]", "2 findings\\n\\n- `envs/alice/train.yaml` line 4: E102: unknown field\\n- ``` a``b.yaml ``` line 99: Q201: one\\n  two" },
	  .status = "200 OK", .file = "reviewed" },
	{ .ask = "POST " GH "/pulls", .has = { "{\"title\":\"bo: eval\",\"head\":\"bo/eval\",\"base\":\"main\",\"body\":\"please\"}" },
	  .status = "201 Created", .file = "opened" },
	{ .ask = "POST " GH "/pulls", .status = "422 Unprocessable Entity", .file = "exists" },
	{ .ask = NULL },
};

static const struct exchange gitea_scenario[] = {
	{ .ask = "GET /user", .has = { "Authorization: Bearer forge-token-1\r\n" }, .status = "200 OK", .file = "user" },
	{ .ask = "GET " GH "/pulls?state=open&sort=oldest&limit=50&page=1", .status = "200 OK", .headers = "X-Total-Count: 3\r\n", .file = "pulls" },
	{ .ask = "GET " GH "/pulls?state=open&sort=oldest&limit=50&page=1", .status = "200 OK", .headers = "X-Total-Count: 3\r\n", .file = "pulls" },
	{ .ask = "GET " GH "/pulls/7", .status = "200 OK", .file = "pull7" },
	{ .ask = "GET " GH "/commits/" MERGE5 "/pull", .status = "200 OK", .file = "of" },
	{ .ask = "GET " GH "/commits/" OLD7 "/pull", .status = "404 Not Found", .text = "{\"errors\":null,\"message\":\"not found\"}" },
	{ .ask = "POST " GH "/statuses/" HEAD7, .has = { "{\"state\":\"success\",\"context\":\"berth/plan\",", "\"description\":\"1 update\"",
	                                                 "\"target_url\":\"https://berth.example/alice/train\"}" },
	  .status = "201 Created", .file = "status" },
	{ .ask = "GET " GH "/issues/7/comments", .status = "200 OK", .headers = "X-Total-Count: 3\r\n", .file = "comments" },
	{ .ask = "POST " GH "/issues/7/comments", .has = { "{\"body\":\"one\\ntwo\"}" }, .status = "201 Created", .file = "comment" },
	{ .ask = "PATCH " GH "/issues/comments/45", .has = { "{\"body\":\"three\"}" }, .status = "200 OK", .file = "comment" },
	/* one of six is pending and not shown, so that the count says there could be more */
	{ .ask = "GET " GH "/pulls/7/reviews?limit=50&page=1", .status = "200 OK", .headers = "X-Total-Count: 6\r\n", .file = "reviews" },
	{ .ask = "GET " GH "/pulls/7/reviews?limit=5&page=2", .status = "200 OK", .headers = "X-Total-Count: 6\r\n", .text = "[]" },
	{ .ask = "POST " GH "/pulls/7/reviews",
	  .has = { "\"commit_id\":\"" HEAD7 "\"", "\"event\":\"COMMENT\"",
	           "{\"path\":\"envs/alice/train.yaml\",\"body\":\"E102: unknown field\",\"new_position\":4}" },
	  .status = "500 Internal Server Error", .file = "outside" },
	/* it keeps what came before as a review that is not submitted */
	{ .ask = "GET " GH "/pulls/7/reviews?limit=50&page=1", .status = "200 OK", .headers = "X-Total-Count: 6\r\n", .file = "reviews" },
	{ .ask = "DELETE " GH "/pulls/7/reviews/6", .status = "204 No Content" },
	{ .ask = "POST " GH "/pulls/7/reviews", .has = { "\"comments\":[]", "line 4: E102: unknown field\\n- ``` a``b.yaml ``` line 99: Q201" },
	  .status = "200 OK", .file = "reviewed" },
	{ .ask = "POST " GH "/pulls", .has = { "{\"title\":\"bo: eval\",\"head\":\"bo/eval\",\"base\":\"main\",\"body\":\"please\"}" },
	  .status = "201 Created", .file = "opened" },
	{ .ask = "POST " GH "/pulls", .status = "409 Conflict", .file = "exists" },
	{ .ask = NULL },
};

static const struct exchange gitlab_scenario[] = {
	{ .ask = "GET /user", .has = { "Authorization: Bearer forge-token-1\r\n" }, .status = "200 OK", .file = "user" },
	{ .ask = "GET " MR "?state=opened&order_by=created_at&sort=asc&per_page=50&page=1", .status = "200 OK",
	  .headers = "ETag: W/\"two\"\r\nX-Total: 2\r\nLink: <https://x/?page=1>; rel=\"first\", <https://x/?page=1>; rel=\"last\"\r\n", .file = "pulls" },
	{ .ask = "GET " MR "?state=opened&order_by=created_at&sort=asc&per_page=50&page=1", .has = { "If-None-Match: W/\"two\"\r\n" },
	  .status = "304 Not Modified" },
	{ .ask = "GET " MR "/7", .status = "200 OK", .file = "pull7" },
	{ .ask = "GET " GL "/repository/commits/" MERGE5 "/merge_requests?per_page=50&page=1", .status = "200 OK", .file = "of" },
	{ .ask = "GET " GL "/repository/commits/" OLD7 "/merge_requests?per_page=50&page=1", .status = "404 Not Found",
	  .text = "{\"message\":\"404 Commit Not Found\"}" },
	{ .ask = "POST " GL "/statuses/" HEAD7, .has = { "{\"state\":\"success\",\"name\":\"berth/plan\",", "\"description\":\"1 update\"",
	                                                 "\"target_url\":\"https://berth.example/alice/train\"}" },
	  .status = "201 Created", .file = "status" },
	{ .ask = "GET " MR "/7/notes?sort=asc&order_by=created_at&per_page=50&page=1", .status = "200 OK", .file = "comments" },
	{ .ask = "POST " MR "/7/notes", .has = { "{\"body\":\"one\\ntwo\"}" }, .status = "201 Created", .file = "comment" },
	{ .ask = "PUT " MR "/7/notes/45", .has = { "{\"body\":\"three\"}" }, .status = "200 OK", .file = "comment" },
	{ .ask = "GET " MR "/7/approvals", .status = "200 OK", .file = "approvals" },
	{ .ask = "GET " MR "/7/versions?per_page=50&page=1", .status = "200 OK", .file = "versions" },
	{ .ask = "GET " MR "/7/versions?per_page=50&page=1", .status = "200 OK", .file = "versions" },
	{ .ask = "POST " MR "/7/discussions",
	  .has = { "\"body\":\"E102: unknown field\"", "\"position_type\":\"text\",\"base_sha\":\"" BASE "\",\"start_sha\":\"" BASE "\",\"head_sha\":\"" HEAD7 "\"",
	           "\"old_path\":\"envs/alice/train.yaml\",\"new_path\":\"envs/alice/train.yaml\",\"new_line\":4}" },
	  .status = "201 Created", .file = "discussion" },
	{ .ask = "POST " MR "/7/discussions", .has = { "\"new_path\":\"a``b.yaml\",\"new_line\":99}" }, .status = "400 Bad Request", .file = "outside" },
	{ .ask = "POST " MR "/7/notes", .has = { "{\"body\":\"2 findings\\n\\n- ``` a``b.yaml ``` line 99: Q201: one\\n  two\"}", "!E102" },
	  .status = "201 Created", .file = "comment" },
	{ .ask = "POST " MR, .has = { "{\"title\":\"bo: eval\",\"source_branch\":\"bo/eval\",\"target_branch\":\"main\",\"description\":\"please\"}" },
	  .status = "201 Created", .file = "opened" },
	{ .ask = "POST " MR, .status = "409 Conflict", .file = "exists" },
	{ .ask = NULL },
};
