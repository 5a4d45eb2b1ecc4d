/* SPDX-License-Identifier: Apache-2.0 */
/* The three dialects of CODEOWNERS. */
#include <string.h>

#include "lib/base/str.h"
#include "validate/codeowners.h"

static const char *const github_own[] = { ".github/", NULL }, *const github_before[] = { NULL };
static const char *const gitlab_own[] = { ".gitlab/", ".gitlab-ci.yml", NULL }, *const gitea_own[] = { ".gitea/", NULL };
static const char *const root_before[] = { "CODEOWNERS", "docs/CODEOWNERS", NULL };

const struct owners_place owners_places[OWNERS_FORGES] = {
	[OWNERS_GITHUB] = { "github", ".github/CODEOWNERS", github_own, github_before },
	[OWNERS_GITLAB] = { "gitlab", ".gitlab/CODEOWNERS", gitlab_own, root_before },
	[OWNERS_GITEA] = { "gitea", ".gitea/CODEOWNERS", gitea_own, root_before },
};

/* How patterns are written, and what the file says of itself. No line of a comment may hold an @: GitLab reads those there too. */
static const struct {
	const char *all, *folder, *tail, *means;
} dialects[OWNERS_FORGES] = {
	[OWNERS_GITHUB] = { "*", "/envs/", "/", "The last line that matches a path counts. Owners need write access to the repository." },
	[OWNERS_GITLAB] = { "*", "/envs/", "/", "The last line that matches a path counts. GitLab asks for these approvals from Premium on." },
	[OWNERS_GITEA] = { ".*", "envs/", "/.*", "Each line is a regular expression for the whole path, and all that match count. Gitea asks these for reviews." },
};

enum owners_forge
owners_forge_find(const char *name)
{
	enum owners_forge f = 0;

	while (f < OWNERS_FORGES && !str_eq(owners_places[f].forge, name))
		f++;
	return f;
}

enum owners_forge
owners_forge_of(const char *path)
{
	enum owners_forge f;

	for (f = 0; f < OWNERS_FORGES; f++)
		for (const char *const *own = owners_places[f].own; *own; own++)
			if (str_ends(*own, "/") ? str_starts(path, *own) : str_eq(path, *own))
				return f;
	return f;
}

const char *
codeowners_pattern(struct arena *mem, enum owners_forge forge, const char *user)
{
	return user ? arena_printf(mem, "%s%s%s", dialects[forge].folder, user, dialects[forge].tail) : dialects[forge].all;
}

static void
add_line(struct buf *out, const char *pattern, const char *const *logins, size_t n)
{
	buf_str(out, pattern);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, " @%s", logins[i]);
	buf_char(out, '\n');
}

void
codeowners_write(const struct codeowners *c, enum owners_forge forge, struct buf *out)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 20);

	buf_printf(out, "# Made by `berth codeowners --forge %s --write` of berth.yaml, teams/ and users/: change those, not this file.\n# %s\n",
	           owners_places[forge].forge, dialects[forge].means);
	if (c->rules)
		buf_str(out, "# approvals.rules of berth.yaml asks for more where an environment is large: no such file can say that, berth checks it.\n");
	if (forge == OWNERS_GITLAB && c->required > 1)
		buf_printf(out, "\n[berth][%u]\n", c->required);
	buf_str(out, c->nadmins ? "\n# Everything, so also berth.yaml, users/, teams/, flavors/, images/, templates/, approvers/ and the forge's own files: the admins.\n"
	                        : "\n# berth.yaml has no approvals.admins: what is not below envs/ is nobody's.\n");
	if (c->nadmins)
		add_line(out, codeowners_pattern(mem, forge, NULL), c->admins, c->nadmins);
	if (c->nfolders)
		buf_str(out, "\n# Environments: the admins of their owner's teams too.\n");
	for (size_t i = 0; i < c->nfolders; i++) {
		arena_reset(mem);
		add_line(out, codeowners_pattern(mem, forge, c->folders[i].user), c->folders[i].logins, c->folders[i].n);
	}
}
