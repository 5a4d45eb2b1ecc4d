/* SPDX-License-Identifier: Apache-2.0 */
/* berth seal --rotate: what is sealed for which generation. */
#include "cli/rotate.h"

#include <stdio.h>
#include <string.h>

#include "cli/guarded.h"
#include "cli/published.h"
#include "cli/reseal.h"
#include "cli/tree.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/value.h"
#include "lib/seal/master.h"
#include "lib/seal/sshsig.h"

#define GENERATIONS_MAX 64 /* that are tried: older ones are as good as never */
#define FILE_MEMORY ((size_t)96 << 20)

enum state { CURRENT, OLD, REFUSED, SHUT, RESEALED, STATES };

static const struct {
	const char *name, *said;
} states[STATES] = {
	[CURRENT] = { "current", "current" },
	[OLD] = { "old", "old, still opened" },
	[REFUSED] = { "refused", "refused: too old" },
	[SHUT] = { "shut", "does not open" },
	[RESEALED] = { "resealed", "sealed again" },
};

struct rotation {
	const struct args *a;
	const char *dir;
	struct published p;
	struct master master;
	struct seal_place place;      /* of the file before: files of a folder follow each other */
	struct identities ids;        /* of that place, the current generation's first */
	uint8_t more[AGE_STANZAS_MAX][32];
	size_t nmore;
	bool write, force;
	struct value *list;           /* with -o json */
	size_t count[STATES], files;
};

/* -- one file -------------------------------------------------------------------------------------------------------------- */

static bool
same_place(const struct seal_place *x, const struct seal_place *y)
{
	return x->scope == y->scope && str_eq(x->owner, y->owner) && str_eq(x->env, y->env);
}

/* Identities of the place, all generations that there can have been. */
static int
take_place(struct rotation *r, struct seal_place *place, struct err *e)
{
	size_t n = r->p.set.generation < GENERATIONS_MAX ? r->p.set.generation : GENERATIONS_MAX;
	int rc;

	if (r->ids.n && same_place(place, &r->place))
		return 0;
	identities_free(&r->ids);
	if (place->owner && (rc = published_uid(&r->p, place->owner, &place->uid, e)) < 0)
		return rc;
	r->ids.block = secret_new(n * sizeof(struct age_identity));
	for (size_t i = 0; i < n; i++)
		if ((rc = master_identity(&r->master, r->p.set.generation - (unsigned)i, place, identities_at(&r->ids) + i, e)) < 0)
			return rc;
	r->ids.n = n;
	r->place = *place;
	return 0;
}

struct row {
	const char *path, *place, *why;
	unsigned generation; /* 0: none */
	size_t recipients;
	enum state state;
};

static int
write_again(struct rotation *r, const struct reseal *file, size_t which, struct row *row, struct err *e)
{
	struct buf AUTO_BUF out = BUF_INIT(AGE_FILE_MAX);
	int rc;

	if (file->format == SEAL_AGE && row->recipients > 1 && !r->nmore && !r->force) {
		row->why = "it has other recipients too, who would lose it: name them with -r, or drop them with --force";
		return 0;
	}
	if ((rc = reseal(file, which, identities_at(&r->ids), (const uint8_t(*)[32])r->more, r->nmore, &out, e)) < 0)
		return rc;
	if ((rc = fs_write_atomic(arena_printf(file->mem, "%s/%s", r->dir, row->path), out.data, out.len, 0644, e)) < 0)
		return rc;
	row->state = RESEALED;
	row->generation = r->p.set.generation;
	return 0;
}

/* What is wrong with one file is told in its row; the others go on. */
static int
look(struct rotation *r, const struct files *files, const struct file_entry *f, struct seal_place *place, struct reseal *file,
     struct row *row, struct err *e)
{
	size_t which = 0;
	int rc;

	if ((rc = files->read(files->ctx, f, AGE_FILE_MAX, file->mem, &file->bytes, &file->n, e)) < 0 || (rc = take_place(r, place, e)) < 0)
		return rc;
	file->ids = identities_at(&r->ids);
	file->nids = r->ids.n;
	if ((rc = reseal_look(file, &which, &row->recipients, e)) < 0)
		return rc;
	row->generation = r->p.set.generation - (unsigned)which;
	row->state = which == 0 ? CURRENT : row->generation >= r->p.set.oldest ? OLD : REFUSED;
	return row->state == CURRENT || !r->write ? 0 : write_again(r, file, which, row, e);
}

static void
put_row(struct rotation *r, const struct row *row)
{
	struct arena *mem = r->a->mem;
	struct value *v;

	if (!r->list) {
		(void)printf("%-48s %-28s %-10.*u  %s%s%s\n", row->path, row->place, row->generation ? 1 : 0, row->generation, states[row->state].said,
		             row->why ? ": " : "", row->why ? row->why : "");
		return;
	}
	v = value_map(mem);
	value_set(mem, v, "file", value_str(mem, row->path));
	value_set(mem, v, "place", value_str(mem, row->place));
	if (row->generation)
		value_set(mem, v, "generation", value_int(mem, row->generation));
	value_set(mem, v, "state", value_str(mem, states[row->state].name));
	if (row->recipients)
		value_set(mem, v, "recipients", value_int(mem, (int64_t)row->recipients));
	if (row->why)
		value_set(mem, v, "why", value_str(mem, row->why));
	value_push(mem, r->list, v);
}

/* ERR_UNAVAILABLE alone, the disk, ends the whole. */
static int
one_file(struct rotation *r, const struct files *files, const struct file_entry *f, struct seal_place *place, enum seal_format format,
         struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(FILE_MEMORY);
	struct reseal file = { .mem = mem, .format = format };
	struct row row = { .path = f->path, .place = place_text(r->a->mem, place), .state = SHUT };
	int rc = look(r, files, f, place, &file, &row, e);

	if (rc == ERR_UNAVAILABLE)
		return rc;
	if (rc < 0)
		row.why = arena_strdup(mem, e->text);
	r->count[row.state]++;
	r->files++;
	put_row(r, &row);
	return 0;
}

/* -- all of them ----------------------------------------------------------------------------------------------------------- */

static int
all_files(struct rotation *r, struct err *e)
{
	struct files files;
	int rc;

	if ((rc = tree_from_dir(r->dir, r->a->mem, &files, e)) < 0)
		return rc;
	if (!r->list)
		(void)printf("%-48s %-28s %-10s  %s\n", "FILE", "PLACE", "GENERATION", "STATE");
	for (size_t i = 0; i < files.n; i++) {
		const char *path = files.entries[i].path;
		enum seal_format format = SEAL_AGE;
		struct seal_place place;

		if (place_of_path(r->a->mem, path, &place, &format, NULL) < 0)
			continue;
		if ((rc = one_file(r, &files, &files.entries[i], &place, format, e)) < 0)
			return rc;
	}
	return 0;
}

static void
summary(const struct rotation *r)
{
	(void)fprintf(stderr, "%zu sealed file%s, generation %u: %zu current, %zu old, %zu refused, %zu that do not open, %zu sealed again\n", r->files,
	              r->files == 1 ? "" : "s", r->p.set.generation, r->count[CURRENT], r->count[OLD], r->count[REFUSED], r->count[SHUT],
	              r->count[RESEALED]);
	if ((r->count[OLD] || r->count[REFUSED]) && !r->write)
		(void)fprintf(stderr, "`berth seal --rotate --key FILE --write` seals the old ones again; no value changes and nothing restarts\n");
	if (r->count[RESEALED])
		(void)fprintf(stderr, "`git%s%s diff --stat` shows them; commit them like any other change\n", str_eq(r->dir, ".") ? "" : " -C ",
		              str_eq(r->dir, ".") ? "" : r->dir);
}

static int
rotate(struct rotation *r, struct err *e)
{
	size_t n;
	const char *const *more = args_list(r->a, "r", &n);
	enum output form;
	int rc;

	if ((rc = args_output(r->a, &form, e)) < 0)
		return rc;
	if (n >= AGE_STANZAS_MAX)
		return err_set(e, ERR_USAGE, "more than %d recipients", AGE_STANZAS_MAX);
	for (size_t i = 0; i < n; i++)
		if ((rc = age_recipient_parse(more[i], strlen(more[i]), r->more[i], e)) < 0)
			return rc;
	r->nmore = n;
	if (form != OUTPUT_TABLE)
		r->list = value_list(r->a->mem);
	if ((rc = all_files(r, e)) < 0)
		return rc;
	if (r->list)
		output_value(r->list, form);
	summary(r);
	return r->count[REFUSED] || r->count[SHUT] ? EXIT_FINDINGS : EXIT_FINE;
}

/* A key that is not the repository's would call every file a stranger's. */
static int
check_signer(const struct rotation *r, struct err *e)
{
	char signer[96];
	uint8_t sk[64];

	if (!r->p.set.signer)
		return 0;
	master_signer(&r->master, sk);
	ssh_public_text(sk + 32, signer);
	secret_wipe(sk, sizeof(sk));
	if (str_eq(signer, r->p.set.signer))
		return 0;
	(void)err_set(e, ERR_DENIED, "this master key is not the one whose signer berth.yaml names");
	return err_hint(e, "`berth keygen --public FILE` shows the signer of a key");
}

int
rotate_run(const struct args *a, struct err *e)
{
	struct rotation *r = arena_alloc(a->mem, sizeof(*r));
	const char *key = args_said(a, "key");
	int rc;

	if (!key)
		return err_set(e, ERR_USAGE, "--rotate needs the master key: --key FILE");
	r->a = a;
	r->dir = args_str(a, "C", ".");
	r->write = args_said(a, "write");
	r->force = args_said(a, "force");
	if ((rc = published_open(a, &r->p, e)) < 0 || (rc = master_load(key, &r->master, e)) < 0)
		return rc;
	if ((rc = check_signer(r, e)) == 0)
		rc = rotate(r, e);
	identities_free(&r->ids);
	master_free(&r->master);
	return rc;
}
