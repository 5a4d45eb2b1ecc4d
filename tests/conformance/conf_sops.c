/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SOPS files made and judged by sops 3.13.3: every case of BERTH_VECTORS/sops, by each of its keys. What does not apply
 * (ini, SSH keys) must be refused by its name; where `strict` says so berth may refuse what sops takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/seal/sops_priv.h"

#define ALL_MAX ((size_t)8 << 20)
#define CASES 75
#define FILES_MAX 1024
#define KEYS_MAX 4

static struct {
	const char *name, *bytes;
	size_t n;
} files[FILES_MAX];
static size_t nfiles;

static int tests, failures, applied, by_name, no_file;

static _Noreturn void
die(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(1);
}

static void
ok(bool good, const char *name, const char *what)
{
	failures += !good;
	printf("%s %d - %s: %s\n", good ? "ok" : "not ok", ++tests, name, what);
}

/* -- the archive -------------------------------------------------------------------------------------------------- */

/* windowBits 47: zlib or gzip, whichever it is. */
static char *
inflate_all(struct arena *mem, const char *in, size_t n, size_t *out_n)
{
	char *out = arena_alloc(mem, ALL_MAX);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n, .next_out = (Bytef *)out, .avail_out = (uInt)ALL_MAX };

	if (inflateInit2(&z, 47) != Z_OK || inflate(&z, Z_FINISH) != Z_STREAM_END)
		die("an archive that zlib does not read");
	*out_n = z.total_out;
	(void)inflateEnd(&z);
	return out;
}

/* ustar: 512-byte blocks, name at 0, size in octal at 124, type at 156. */
static void
unpack(struct arena *mem, const char *at, size_t n)
{
	const char *end = at + n;

	while (end - at >= 512 && *at) {
		const char *name = arena_strndup(mem, at, strnlen(at, 100)), type = at[156];
		size_t len = (size_t)strtoull(at + 124, NULL, 8);

		if (len > (size_t)(end - at) - 512 || nfiles == FILES_MAX)
			die("an archive that is cut, or has more files than expected");
		if (type == '0' || !type) {
			files[nfiles].name = str_starts(name, "./") ? name + 2 : name;
			files[nfiles].bytes = arena_strndup(mem, at + 512, len);
			files[nfiles++].n = len;
		}
		at += 512 + (len + 511) / 512 * 512;
	}
}

static const char *
file_of(const char *name, size_t *n)
{
	for (size_t i = 0; name && i < nfiles; i++)
		if (str_eq(files[i].name, name)) {
			*n = files[i].n;
			return files[i].bytes;
		}
	die("the index names a file that is not there");
}

/* -- comparing ---------------------------------------------------------------------------------------------------- */

/* Scalars that sops seals: all but null and "". */
static size_t
count_scalars(struct arena *mem, const struct value *v)
{
	enum sops_type type;
	const char *text;
	size_t n = 0, len;

	if (v->type == VALUE_LIST)
		for (size_t i = 0; i < v->list.n; i++)
			n += count_scalars(mem, v->list.items[i]);
	else if (v->type == VALUE_MAP)
		for (size_t i = 0; i < v->map.n; i++)
			n += count_scalars(mem, v->map.items[i].value);
	else
		n = sops_scalar(mem, v, &text, &len, &type) && len;
	return n;
}

static bool
same_value(struct arena *mem, const struct value *want, const struct sops_value_bytes *got)
{
	enum sops_type type;
	const char *text;
	size_t n;

	if (!sops_scalar(mem, want, &text, &n, &type))
		return false;
	if (type == SOPS_BOOL)
		text = want->boolean ? "true" : "false";
	return n == got->n && memcmp(text, got->b, n) == 0;
}

/* Looks below v for the next value that has the keys of `leaf`; lists are looked through, as sops numbers no items. */
static bool
has_value(struct arena *mem, const struct value *v, const struct sops_leaf *leaf, size_t k, const struct sops_value_bytes *got)
{
	bool number = k < leaf->nkeys && strspn(leaf->keys[k], "0123456789") == strlen(leaf->keys[k]);

	if (v && v->type == VALUE_LIST) {
		for (size_t i = 0; i < v->list.n; i++)
			if (has_value(mem, v->list.items[i], leaf, k, got) || (number && has_value(mem, v->list.items[i], leaf, k + 1, got)))
				return true;
		return false;
	}
	if (!v || v->type != VALUE_MAP)
		return v && k == leaf->nkeys && same_value(mem, v, got);
	return k < leaf->nkeys && has_value(mem, value_get(v, leaf->keys[k]), leaf, k + 1, got);
}

static const char *
compare_json(struct arena *mem, const struct sops_open *o, const struct sops_file *f, const char *json, size_t n)
{
	struct value *v;
	struct err e = { 0 };
	size_t plain = 0;

	if (json_read(mem, json, n, &v, &e) < 0)
		die(e.text);
	for (size_t i = 0; i < o->n; i++)
		if (!has_value(mem, v, &o->leaves[i], 0, &o->values[i]))
			return arena_printf(mem, "another value of %s", o->leaves[i].name);
	for (size_t i = 0; i < f->n; i++)
		plain += !f->nodes[i].enc && f->nodes[i].n;
	return count_scalars(mem, v) == o->n + plain ? NULL : "values are missing";
}

static const char *
compare(struct arena *mem, const struct value *result, enum seal_format format, const char *bytes, size_t n, const struct sops_open *o)
{
	const char *json = value_as_str(value_get(result, "decrypted_json"), NULL), *want;
	struct sops_file f;
	struct err e = { 0 };
	size_t len;

	if (json) {
		if (sops_read(mem, format, bytes, n, SOPS_FILE_MAX, &f, &e) < 0)
			return "it opened, and does not read";
		want = file_of(json, &len);
		return compare_json(mem, o, &f, want, len);
	}
	want = file_of(value_as_str(value_get(result, "decrypted"), NULL), &len);
	if (o->n != 1 || !str_eq(o->leaves[0].name, "data"))
		return "a binary file is one value, data";
	return o->values[0].n == len && memcmp(o->values[0].b, want, len) == 0 ? NULL : "another content";
}

/* -- cases -------------------------------------------------------------------------------------------------------- */

static size_t
read_keys(struct arena *mem, const struct value *names, struct age_identity ids[KEYS_MAX], bool *odd)
{
	size_t n = 0, len;

	for (size_t i = 0; i < value_len(names); i++) {
		const char *name = value_as_str(value_item(names, i), "");
		const char *text = file_of(arena_printf(mem, "keys/%s", name), &len), *at = text;
		struct err e = { 0 };

		if (!str_ends(name, ".txt")) {
			*odd = true;
			continue;
		}
		while ((at = strstr(at, "AGE-SECRET-KEY-1"))) {
			size_t digits = strcspn(at, "\r\n");

			if (n == KEYS_MAX || age_identity_parse(at, digits, &ids[n++], &e) < 0)
				die("a key file that does not read");
			at += digits;
		}
	}
	return n;
}

static enum seal_format
format_of(const char *s)
{
	if (str_eq(s, "json") || str_eq(s, "binary"))
		return SEAL_SOPS_JSON;
	return str_eq(s, "dotenv") ? SEAL_SOPS_DOTENV : SEAL_SOPS_YAML;
}

static void
run_result(const struct value *c, const struct value *result, const char *name)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	const char *format = value_as_str(value_get(c, "format"), ""), *strict = value_as_str(value_get(c, "strict"), "");
	bool want = value_as_bool(value_get(result, "ok"), false), odd = false;
	struct age_identity ids[KEYS_MAX];
	size_t nids = read_keys(mem, value_get(result, "keys"), ids, &odd), n = 0;
	const char *bytes = file_of(value_as_str(value_get(c, "file"), NULL), &n), *wrong = NULL;
	struct sops_open o = { 0 };
	struct err e = { 0 };
	int rc = sops_open(mem, format_of(format), bytes, n, ids, nids, NULL, &o, NULL, &e);

	if (odd || str_eq(format, "ini")) {
		by_name++;
		ok(rc == ERR_INVALID && strstr(e.text, odd ? "SSH key" : "ini"), name, rc < 0 ? e.text : "opened");
		return;
	}
	applied++;
	if (str_starts(strict, "reject"))
		want = false;
	if (rc == 0 && want)
		wrong = compare(mem, result, format_of(format), bytes, n, &o);
	if (rc < 0 && want && !str_starts(strict, "either"))
		wrong = e.text;
	if (rc == 0 && !want)
		wrong = "it opens";
	ok(!wrong, name, wrong ? wrong : rc == 0 ? "opens to the same values" : e.text);
	secret_free(&o.block);
}

static void
run_case(struct arena *mem, const struct value *c)
{
	const char *id = value_as_str(value_get(c, "id"), "?");
	const struct value *results = value_get(c, "results");

	if (!value_get(c, "file")) {
		no_file++;
		ok(!value_len(results), id, "# SKIP sops does not seal this, so there is no file");
		return;
	}
	for (size_t i = 0; i < value_len(results); i++)
		run_result(c, value_item(results, i), i ? arena_printf(mem, "%s, key %zu", id, i + 1) : id);
}

static void
run(struct arena *mem, const char *index, size_t n)
{
	struct err e = { 0 };
	const struct value *cases;
	struct value *v;

	if (json_read(mem, index, n, &v, &e) < 0)
		die(e.text);
	cases = value_get(v, "cases");
	for (size_t i = 0; i < value_len(cases); i++)
		run_case(mem, value_item(cases, i));
	ok(value_len(cases) == CASES, "index", "all cases are there");
	printf("1..%d\n# sops: %zu cases, %d verdicts that apply, %d not supported and refused by name, %d that sops does not seal\n", tests,
	       value_len(cases), applied, by_name, no_file);
}

int
main(void)
{
	const char *vectors = getenv("BERTH_VECTORS");
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct err e = { 0 };
	char *archive, *index, *all;
	size_t n, nindex;

	if (!vectors) {
		printf("1..1\nok 1 - sops # SKIP BERTH_VECTORS is not set\n");
		return 0;
	}
	if (seal_init(&e) < 0 || sops_init(&e) < 0 ||
	    fs_read(arena_printf(mem, "%s/sops/cases-and-keys.tar.gz", vectors), ALL_MAX, mem, &archive, &n, &e) < 0 ||
	    fs_read(arena_printf(mem, "%s/sops/index.json", vectors), ALL_MAX, mem, &index, &nindex, &e) < 0)
		die(e.text);
	all = inflate_all(mem, archive, n, &n);
	unpack(mem, all, n);
	run(mem, index, nindex);
	return failures != 0;
}
