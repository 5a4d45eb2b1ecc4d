/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kinds, and which path of an environments repository is what. */
#include "parse/kinds.h"

#include <string.h>

#include "lib/base/str.h"

#define NAME_MAX_CHARS 40
#define PATH_MAX_CHARS 1024 /* git allows far longer ones; nothing that berth reads needs them */

const struct kind_info kinds[KIND_COUNT] = {
	[KIND_ORG] = { "Organization", NULL, NULL, "organization.schema.json", "organization" },
	[KIND_FLAVOR] = { "Flavor", "DevServerFlavor", "flavors", "flavor.schema.json", "flavor" },
	[KIND_IMAGE] = { "Image", NULL, "images", "image.schema.json", "image" },
	[KIND_DATASET] = { "Dataset", NULL, "datasets", "dataset.schema.json", "dataset" },
	[KIND_TEAM] = { "Team", NULL, "teams", "team.schema.json", "team" },
	[KIND_USER] = { "User", NULL, "users", "user.schema.json", "user" },
	[KIND_ENV] = { "Environment", "DevServer", "envs", "environment.schema.json", "environment" },
};

static const char why_long[] = "the path has more than 1024 characters";
static const char why_suffix[] = "documents end in .yaml";
static const char why_depth[] = "the folder holds documents only, as <name>.yaml, and no folders";
static const char why_env_depth[] = "environments are files envs/<owner>/<name>.yaml";
static const char why_name[] = "names are a lower-case letter, then letters, digits and single hyphens, at most 40 characters";
static const char why_owner[] = "the folder is no user name: a lower-case letter, then letters, digits and single hyphens, "
                                "at most 40 characters";

bool
name_valid(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > NAME_MAX_CHARS || s[0] < 'a' || s[0] > 'z' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		bool word = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9');

		if (!word && (s[i] != '-' || s[i - 1] == '-'))
			return false;
	}
	return true;
}

static bool
any_dot_part(const char *path)
{
	return path[0] == '.' || strstr(path, "/.") != NULL;
}

/* The kind whose folder `path` lies below, KIND_COUNT when none; *rest is what follows the folder and its '/'. */
static enum kind
kind_of_folder(const char *path, const char **rest)
{
	for (enum kind k = KIND_ORG; k < KIND_COUNT; k++) {
		size_t n;

		if (!kinds[k].folder)
			continue;
		n = strlen(kinds[k].folder);
		if (strncmp(path, kinds[k].folder, n) == 0 && path[n] == '/') {
			*rest = path + n + 1;
			return k;
		}
	}
	return KIND_COUNT;
}

static void
path_bad(struct path_info *out, const char *why)
{
	out->class = PATH_BAD;
	out->why = why;
}

/* A file name in a folder of documents: sets class, name and why. */
static void
classify_file(struct arena *mem, const char *file, struct path_info *out)
{
	if (!str_ends(file, ".yaml")) {
		path_bad(out, why_suffix);
		return;
	}
	out->name = arena_strndup(mem, file, strlen(file) - strlen(".yaml"));
	if (name_valid(out->name))
		out->class = PATH_DOC;
	else
		path_bad(out, why_name);
}

/* Below envs/: people keep scripts and sealed files beside their environments, so only YAML is looked at. */
static void
classify_env(struct arena *mem, const char *rest, struct path_info *out)
{
	const char *slash = strchr(rest, '/');
	bool yaml = str_ends(rest, ".yaml") || str_ends(rest, ".yml");

	if (!yaml || (slash && str_starts(slash + 1, "secrets/")))
		return;
	if (!slash || strchr(slash + 1, '/')) {
		path_bad(out, why_env_depth);
		return;
	}
	out->owner = arena_strndup(mem, rest, (size_t)(slash - rest));
	if (name_valid(out->owner))
		classify_file(mem, slash + 1, out);
	else {
		out->name = out->owner;
		path_bad(out, why_owner);
	}
}

void
path_classify(struct arena *mem, const char *path, struct path_info *out)
{
	const char *rest = NULL, *base = strrchr(path, '/');

	*out = (struct path_info){ .class = PATH_OTHER, .kind = KIND_COUNT };
	base = base ? base + 1 : path;
	if (strcmp(path, "berth.yaml") == 0) {
		*out = (struct path_info){ .class = PATH_DOC, .kind = KIND_ORG, .name = "berth" };
		return;
	}
	if (strcmp(path, "berth.yml") == 0) {
		out->kind = KIND_ORG;
		path_bad(out, why_suffix);
		return;
	}
	out->kind = kind_of_folder(path, &rest);
	if (out->kind == KIND_COUNT || any_dot_part(path) || strcmp(base, "README.md") == 0)
		return;
	if (strlen(path) > PATH_MAX_CHARS)
		path_bad(out, why_long);
	else if (out->kind == KIND_ENV)
		classify_env(mem, rest, out);
	else if (strchr(rest, '/'))
		path_bad(out, why_depth);
	else
		classify_file(mem, rest, out);
}

const char *
path_env_owner(struct arena *mem, const char *path)
{
	if (!str_starts(path, "envs/") || !strchr(path + 5, '/'))
		return NULL;
	return arena_strndup(mem, path + 5, strcspn(path + 5, "/"));
}

const char *
path_owner(struct arena *mem, const char *path)
{
	const char *owner = path_env_owner(mem, path);

	if (owner)
		return owner;
	if (str_starts(path, "users/") && str_ends(path, ".yaml") && strlen(path) > 11)
		return arena_strndup(mem, path + 6, strlen(path) - 11);
	return NULL;
}
