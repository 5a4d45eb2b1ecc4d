/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from wherever the branch is read, and one reader of YAML. */
#include "status/document.h"

#include "lib/base/str.h"
#include "lib/doc/yaml.h"

const char *
status_path(struct arena *mem, const char *owner, const char *name)
{
	return arena_printf(mem, "envs/%s/%s.yaml", owner, name);
}

bool
status_is_path(const char *path)
{
	return str_starts(path, "envs/") && str_ends(path, ".yaml");
}

static struct value *
parse(struct arena *mem, const char *path, const char *bytes, size_t n)
{
	struct report ignored;
	struct value *v;

	report_init(&ignored, mem);
	return yaml_read(mem, path, bytes, n, NULL, &ignored, &v) == 0 && value_is(v, VALUE_MAP) ? v : NULL;
}

int
status_read_tree(struct git_repo *g, const struct oid *tree, const char *path, struct arena *mem, struct value **out, struct err *e)
{
	const char *bytes;
	size_t n;
	int rc = git_tree_read(g, tree, path, FILE_DOC_MAX, mem, &bytes, &n, e);

	*out = rc < 0 ? NULL : parse(mem, path, bytes, n);
	return rc;
}

int
status_read_blob(struct git_repo *g, const struct oid *blob, const char *path, struct arena *mem, struct value **out, struct err *e)
{
	const char *bytes;
	size_t n;
	int rc = git_blob_read(g, blob, FILE_DOC_MAX, mem, &bytes, &n, e);

	*out = rc < 0 ? NULL : parse(mem, path, bytes, n);
	return rc;
}

int
status_read_files(const struct files *files, const char *path, struct arena *mem, struct value **out, struct err *e)
{
	const struct file_entry *f = files_find(files, path);
	const char *bytes;
	size_t n;
	int rc;

	*out = NULL;
	if (!f)
		return err_set(e, ERR_NOTFOUND, "there is no %s", path);
	if ((rc = files->read(files->ctx, f, FILE_DOC_MAX, mem, &bytes, &n, e)) == 0)
		*out = parse(mem, path, bytes, n);
	return rc;
}
