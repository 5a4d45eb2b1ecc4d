/* SPDX-License-Identifier: Apache-2.0 */
/* berth open: one sealed file of a tree, for who holds the master key, or a key of their own that it is sealed for too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/guarded.h"
#include "cli/published.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/seal/master.h"
#include "lib/seal/sops.h"

#define GENERATIONS_MAX 64

struct opening {
	const struct args *a;
	const char *dir, *path; /* path: in the repository when the master key opens it, else as given */
	struct published p;
	struct seal_place place;
	enum seal_format format;
	struct identities ids;
	bool by_master;
	const char *bytes;
	size_t n;
};

/* -- which file ------------------------------------------------------------------------------------------------------------ */

/* FILE below -C, or a path from here that leads there. */
static const char *
path_in_tree(const struct opening *o, const char *file)
{
	char *top = realpath(o->dir, NULL), *full = realpath(file, NULL);
	const char *out = file;
	size_t n = top ? strlen(top) : 0;

	if (*file != '/' && fs_exists(arena_printf(o->a->mem, "%s/%s", o->dir, file)))
		out = str_starts(file, "./") ? file + 2 : file;
	else if (full && n && strncmp(full, top, n) == 0 && full[n] == '/')
		out = arena_strdup(o->a->mem, full + n + 1);
	free(top);
	free(full);
	return out;
}

static enum seal_format
format_of(const char *path)
{
	return str_ends(path, ".sops.yaml") ? SEAL_SOPS_YAML : str_ends(path, ".sops.json") ? SEAL_SOPS_JSON : str_ends(path, ".sops.env") ? SEAL_SOPS_DOTENV : SEAL_AGE;
}

static int
read_file(struct opening *o, const char *path, struct err *e)
{
	char *bytes;
	int rc = fs_read(path, AGE_FILE_MAX, o->a->mem, &bytes, &o->n, e);

	o->bytes = bytes;
	return rc;
}

/* -- by which key ---------------------------------------------------------------------------------------------------------- */

static int
take_master(struct opening *o, const char *key, struct err *e)
{
	struct master m;
	unsigned generation;
	size_t n;
	int rc;

	if ((rc = published_open(o->a, &o->p, e)) < 0 || (rc = place_of_path(o->a->mem, o->path, &o->place, &o->format, e)) < 0)
		return rc;
	if (o->place.owner && (rc = published_uid(&o->p, o->place.owner, &o->place.uid, e)) < 0)
		return rc;
	if ((rc = master_load(key, &m, e)) < 0)
		return rc;
	generation = o->p.set.generation;
	n = generation < GENERATIONS_MAX ? generation : GENERATIONS_MAX;
	o->ids.block = secret_new(n * sizeof(struct age_identity));
	for (; o->ids.n < n && rc == 0; o->ids.n++)
		rc = master_identity(&m, generation - (unsigned)o->ids.n, &o->place, identities_at(&o->ids) + o->ids.n, e);
	master_free(&m);
	o->by_master = true;
	return rc;
}

static int
prepare(struct opening *o, struct err *e)
{
	const char *key = args_said(o->a, "key"), *identity = args_said(o->a, "identity"), *file = o->a->pos[0];
	int rc;

	if (!key == !identity) {
		(void)err_set(e, ERR_USAGE, "say by which key: --key FILE (the master key) or --identity FILE (an age key of yours)");
		return err_hint(e, "`berth open --help` shows examples");
	}
	if (identity) {
		o->path = file;
		o->format = format_of(file);
		if ((rc = read_file(o, file, e)) < 0)
			return rc;
		return identities_read(identity, &o->ids, e);
	}
	o->path = path_in_tree(o, file);
	if ((rc = take_master(o, key, e)) < 0)
		return rc;
	return read_file(o, arena_printf(o->a->mem, "%s/%s", o->dir, o->path), e);
}

/* -- what is in it --------------------------------------------------------------------------------------------------------- */

/* Which generations, and the command that would have been right; of the content nothing. */
static int
say_shut(const struct opening *o, int rc, struct err *e)
{
	(void)err_wrap(e, "%s", o->path);
	if (rc != ERR_DENIED || !o->by_master)
		return rc;
	(void)err_set(e, ERR_DENIED, "%s is not sealed for %s: generations %u to %u were tried", o->path, place_text(o->a->mem, &o->place),
	              o->p.set.generation, o->p.set.generation - (unsigned)o->ids.n + 1);
	if (o->place.scope == PLACE_SITE)
		(void)err_hint(e, "the value has to be sealed again, for this place: berth seal --site NAME");
	else
		(void)err_hint(e, "the value has to be sealed again, for this place: berth seal --user %s%s%s NAME", o->place.owner,
		               o->place.env ? " --env " : "", o->place.env ? o->place.env : "");
	return rc;
}

/* An administrator may still see what berth refuses, and is told. */
static void
say_old(const struct opening *o, size_t which)
{
	unsigned generation = o->p.set.generation - (unsigned)which;

	if (o->by_master && generation < o->p.set.oldest)
		(void)fprintf(stderr, "berth: it is sealed for generation %u, which berth itself no longer opens (oldest: %u); `berth seal --rotate` mends that\n",
		              generation, o->p.set.oldest);
}

static int
open_age(const struct opening *o, struct err *e)
{
	struct secret AUTO_SECRET plain = { NULL, 0 };
	size_t which = 0;
	int rc = age_open(o->bytes, o->n, identities_at(&o->ids), o->ids.n, &which, &plain, NULL, e);

	if (rc < 0)
		return say_shut(o, rc, e);
	say_old(o, which);
	return guarded_write(STDOUT_FILENO, plain.b, plain.n, e);
}

/* Text that grows in guarded memory; its size is known before. */
struct writer {
	struct secret out;
	size_t n;
};

static void
put(struct writer *w, const void *p, size_t n)
{
	if (n > w->out.n - w->n)
		abort(); /* room_for counts the most that there can be */
	memcpy(w->out.b + w->n, p, n);
	w->n += n;
}

static void
put_json(struct writer *w, const unsigned char *s, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	put(w, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		char u[] = { '\\', 'u', '0', '0', digits[s[i] >> 4], digits[s[i] & 15] };

		if (s[i] < 0x20 || s[i] == 0x7f)
			put(w, u, sizeof(u));
		else {
			if (s[i] == '"' || s[i] == '\\')
				put(w, "\\", 1);
			put(w, &s[i], 1);
		}
	}
	put(w, "\"", 1);
}

static size_t
room_for(const struct sops_open *s)
{
	size_t n = 16;

	for (size_t i = 0; i < s->n; i++)
		n += 6 * (strlen(s->leaves[i].name) + s->values[i].n) + 16;
	return n;
}

static void
put_values(struct writer *w, const struct sops_open *s, bool json)
{
	for (size_t i = 0; i < s->n; i++) {
		const char *name = s->leaves[i].name;

		if (json) {
			put(w, i ? ",\n  " : "{\n  ", 4);
			put_json(w, (const unsigned char *)name, strlen(name));
			put(w, ": ", 2);
			put_json(w, s->values[i].b, s->values[i].n);
			continue;
		}
		put(w, name, strlen(name));
		put(w, "=", 1);
		put(w, s->values[i].b, s->values[i].n);
		put(w, "\n", 1);
	}
	if (json)
		put(w, s->n ? "\n}\n" : "{}\n", 3);
}

/* Lines can hold only what has no line end. */
static int
check_lines(const struct sops_open *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++)
		if (memchr(s->values[i].b, '\n', s->values[i].n)) {
			(void)err_set(e, ERR_INVALID, "%s has more than one line", s->leaves[i].name);
			return err_hint(e, "-o json prints it with its line ends as \\n");
		}
	return 0;
}

static int
open_sops(const struct opening *o, bool json, struct err *e)
{
	struct sops_open s = { .n = 0 };
	struct secret AUTO_SECRET block = { NULL, 0 };
	struct writer w = { .n = 0 };
	size_t which = 0;
	int rc = sops_open(o->a->mem, o->format, o->bytes, o->n, identities_at(&o->ids), o->ids.n, &which, &s, NULL, e);

	if (rc < 0)
		return say_shut(o, rc, e);
	block = s.block;
	say_old(o, which);
	if (!json && (rc = check_lines(&s, e)) < 0)
		return rc;
	w.out = secret_new(room_for(&s));
	put_values(&w, &s, json);
	rc = guarded_write(STDOUT_FILENO, w.out.b, w.n, e);
	secret_free(&w.out);
	return rc;
}

static int
open_file(struct opening *o, struct err *e)
{
	enum output form;
	int rc;

	if ((rc = args_output(o->a, &form, e)) < 0 || (rc = prepare(o, e)) < 0)
		return rc;
	if (o->format == SEAL_AGE && form != OUTPUT_TABLE)
		return err_set(e, ERR_USAGE, "-o is for SOPS files: an .age file is one value, and printed as it is");
	if (isatty(STDOUT_FILENO) && !args_said(o->a, "print")) {
		(void)err_set(e, ERR_DENIED, "a secret is not shown on a terminal unasked");
		return err_hint(e, "pipe it into what needs it, or say --print");
	}
	return o->format == SEAL_AGE ? open_age(o, e) : open_sops(o, form != OUTPUT_TABLE, e);
}

static int
run(const struct args *a, struct err *e)
{
	struct opening o = { .a = a, .dir = args_str(a, "C", ".") };
	int rc;

	if ((rc = guarded_start(e)) < 0)
		return rc;
	rc = open_file(&o, e);
	identities_free(&o.ids);
	return rc < 0 ? rc : EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository that FILE is in (default: here)" },
	{ "key", "FILE", "the master key" },
	{ "identity", "FILE", "an age key that the file is sealed for, as age-keygen writes it" },
	{ "print", NULL, "show it on a terminal" },
	{ "o", "table|json", "SOPS: NAME=VALUE lines, or JSON" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_open = {
	.name = "open", .args = "FILE", .summary = "what a sealed file holds, for who has a key to it",
	.examples = "berth open --key master-key envs/alice/secrets/wandb.age | wc -c\n"
	            "berth open --identity ~/.age/me.key envs/alice/secrets/wandb.age --print\n"
	            "berth open --key master-key -o json envs/alice/secrets/team.sops.yaml | jq -r .token\n",
	.details = "With the master key the path decides which identities are tried, as in berth itself: a file that was copied from another\n"
	           "place does not open. berth opens files for environments alone; this is for administrators, and for people who sealed a file\n"
	           "for a key of their own too (`berth seal -r`). Nothing of a file is printed before all of it is verified.",
	.opts = opts, .min = 1, .max = 1, .run = run,
};
