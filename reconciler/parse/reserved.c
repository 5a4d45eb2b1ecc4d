/* SPDX-License-Identifier: Apache-2.0 */
/* Names that berth gives itself. */
#include "parse/reserved.h"

#include <string.h>

#include "lib/base/str.h"

static const char *const names[] = { "HOME", "RANK", "LOCAL_RANK", "NODE_RANK", "NNODES", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT" };
static const char *const prefixes[] = { "BERTH_", "PET_" };

/* What the scripts in templates/scripts/ assign to (tests/unit/test_secrets.c reads them). Sorted. */
static const char *const words[] = {
	"absent", "address", "answer", "asked", "at", "bad", "before", "begun", "both", "bucket", "bucket_program", "bytes",
	"child", "children", "chosen", "cleaning", "client", "clone", "command", "commit", "conda", "conda_verb", "copier",
	"copy_path", "count", "digest", "done_dir", "ended", "endpoint", "entry", "errors", "every", "failed", "file", "first",
	"folder", "found", "from", "git", "git_folder", "given", "good", "guard", "hex", "host", "host_key_files", "host_seen",
	"ids", "in_memory", "inner", "is", "is_host", "item", "job", "keep", "kept", "key", "key_name", "keygen", "keys",
	"kind", "left", "limit", "line", "link", "linked", "list", "lists", "locked", "log", "made_for", "manager", "marker",
	"missing", "name", "nap", "now", "number", "one", "outcome", "parent", "path", "pause", "pid", "pip_user", "port",
	"ports", "prefix", "private", "protocol", "python", "ready", "ref", "region", "rest_left", "rest_now", "rest_was",
	"run", "script", "scripts", "secret", "secrets", "seen", "setpriv", "shell", "since", "sleeper", "so_far", "sources",
	"ssh_port", "sshd", "stage", "state", "status_name", "system_path", "tab", "table", "tcp_state", "tee_pid", "temp",
	"temporary", "text", "ticks", "to", "tool", "tool_dir", "tool_name", "toolbox", "tools", "total", "url", "user",
	"user_env", "user_home", "user_path", "username", "variable", "venv", "waited", "wanted", "was", "word", "word_number",
	"wrong", "yum",
};

bool
reserved_word(const char *name)
{
	size_t low = 0, high = sizeof(words) / sizeof(*words);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, words[middle]);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

bool
reserved_variable(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (str_starts(name, prefixes[i]))
			return true;
	return false;
}

bool
reserved_claim(const char *name)
{
	return str_starts(name, "home-") || strstr(name, "--") != NULL;
}
