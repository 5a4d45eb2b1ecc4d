/* SPDX-License-Identifier: Apache-2.0 */
/* Approved changes as files of the status branch. */
#include "repo/approval_record.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

#define HEAD "berth approved 1\n"
#define NAME_HEX 16 /* digits of each id in a name */

static void
write_evidence(const struct evidence *v, struct buf *out)
{
	buf_printf(out, "evidence %zu %zu\n", v->text_len, v->sig_len);
	buf_add(out, v->text, v->text_len);
	buf_add(out, v->sig_text, v->sig_len);
	buf_char(out, '\n');
}

void
record_write(const struct approved *d, int64_t now, struct buf *out)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 20);
	char hex[OID_HEX], digest[DIGEST_HEX], when[RFC3339_LEN];

	oid_hex(&d->commit, hex);
	digest_hex(&d->changes, digest);
	clock_rfc3339(now, when);
	buf_printf(out, HEAD "commit %s\nchanges %s\nseen %s\nby ", hex, digest, when);
	for (size_t i = 0; i < d->nvoices; i++)
		buf_printf(out, "%s%s", i ? ", " : "", d->voices[i]);
	buf_str(out, d->nvoices ? "\n" : "nobody\n");
	if (d->emergency)
		buf_printf(out, "emergency %s\n", str_line(mem, d->emergency));
	for (size_t i = 0; i < d->npaths; i++)
		buf_printf(out, "path %s\n", d->paths[i]);
	for (size_t i = 0; i < d->nevidence; i++)
		write_evidence(d->evidence[i], out);
}

const char *
record_path(const struct approved *d, int64_t now, struct arena *mem)
{
	char hex[OID_HEX], digest[DIGEST_HEX], when[RFC3339_LEN];

	oid_hex(&d->commit, hex);
	digest_hex(&d->changes, digest);
	clock_rfc3339(now, when);
	return arena_printf(mem, RECORD_FOLDER "/%.7s/%.*s-%.*s.txt", when, NAME_HEX, hex, NAME_HEX, digest);
}

bool
record_names_commit(const char *name, const struct oid *commit)
{
	char hex[OID_HEX];

	oid_hex(commit, hex);
	return strncmp(name, hex, NAME_HEX) == 0 && name[NAME_HEX] == '-';
}

bool
record_names_changes(const char *name, const struct digest *changes)
{
	char hex[DIGEST_HEX];

	digest_hex(changes, hex);
	return strlen(name) > NAME_HEX + 1 && strncmp(name + NAME_HEX + 1, hex, NAME_HEX) == 0;
}

/* -- reading ------------------------------------------------------------------------------------------------------------------------ */

static void
split_names(const char *s, struct arena *mem, struct approval_record *r)
{
	size_t most = 1;

	for (const char *p = s; *p; p++)
		most += *p == ',';
	r->by = arena_array(mem, most, sizeof(*r->by));
	while (!str_eq(s, "nobody") && *s) {
		size_t n = strcspn(s, ",");

		r->by[r->nby++] = arena_strndup(mem, s, n);
		s += n;
		s += strspn(s, ", ");
	}
}

/* "evidence N M" and so many bytes: false when they are not there. */
static bool
read_evidence(const char *sizes, const char **p, const char *end, struct arena *mem, struct approval_record *r)
{
	size_t n = 0, m = 0, left = (size_t)(end - *p), had = r->nevidence;

	if (sscanf(sizes, "%8zu %8zu", &n, &m) != 2 || n > left || m > left - n || n + m == left || (*p)[n + m] != '\n')
		return false;
	if ((had & (had - 1)) == 0) /* it doubles */
		r->evidence = arena_regrow(mem, r->evidence, had, had ? 2 * had : 1, sizeof(*r->evidence));
	r->evidence[r->nevidence++] = (struct record_evidence){ *p, *p + n, n, m };
	*p += n + m + 1;
	return true;
}

int
record_read(const char *bytes, size_t len, struct arena *mem, struct approval_record *out, struct err *e)
{
	const char *p = bytes, *end = bytes + len, *commit, *when, *by, *line;
	struct approval_record r = { 0 };

	if (len < strlen(HEAD) || memcmp(bytes, HEAD, strlen(HEAD)) != 0)
		return err_set(e, ERR_INVALID, "it is no record of an approved change");
	p += strlen(HEAD);
	commit = approval_line(&p, end, "commit", mem);
	r.changes = commit ? approval_line(&p, end, "changes", mem) : NULL;
	when = r.changes ? approval_line(&p, end, "seen", mem) : NULL;
	by = when ? approval_line(&p, end, "by", mem) : NULL;
	if (!by || oid_parse(commit, &r.commit) < 0 || (r.seen = clock_parse_rfc3339(when)) <= 0)
		return err_set(e, ERR_INVALID, "its head is not commit, changes, seen and by");
	split_names(by, mem, &r);
	r.emergency = approval_line(&p, end, "emergency", mem);
	while ((line = approval_line(&p, end, "path", mem))) {
		size_t had = r.npaths;

		if ((had & (had - 1)) == 0)
			r.paths = arena_regrow(mem, r.paths, had, had ? 2 * had : 1, sizeof(*r.paths));
		r.paths[r.npaths++] = line;
	}
	while ((line = approval_line(&p, end, "evidence", mem)))
		if (!read_evidence(line, &p, end, mem, &r))
			return err_set(e, ERR_INVALID, "an approval in it is cut off");
	if (p != end)
		return err_set(e, ERR_INVALID, "there is more in it than a record has");
	*out = r;
	return 0;
}
