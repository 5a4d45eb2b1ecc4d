/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the decryptor: reading with every length checked, writing what reads back the same. */
#include <string.h>

#include "lib/seal/decryptor_priv.h"

#define SEALED_MAX 16 /* sealed files of one request: those of one Secret */
#define NONE UINT32_MAX
#define PATH_LONGEST ((size_t)4096)

/* -- requests: reading ------------------------------------------------------------------------------------------------ */

static void
read_place(struct msg *w, struct arena *mem, struct seal_place *out)
{
	uint8_t scope = msg_u8(w);

	*out = (struct seal_place){ .owner = msg_text(w, mem, WIRE_NAME_MAX), .uid = msg_text(w, mem, WIRE_NAME_MAX),
		.env = msg_text(w, mem, WIRE_NAME_MAX) };
	if (scope > PLACE_SITE)
		w->bad = true;
	else
		out->scope = (enum place_scope)scope;
}

static void
read_sealed(struct msg *w, struct arena *mem, struct sealed *out)
{
	uint8_t format;

	memset(out, 0, sizeof(*out));
	read_place(w, mem, &out->place);
	format = msg_u8(w);
	out->generation = msg_u32(w);
	out->oldest = msg_u32(w);
	out->bytes = msg_bytes(w, AGE_FILE_MAX, &out->n);
	if (format > SEAL_SOPS_DOTENV)
		w->bad = true;
	else
		out->format = (enum seal_format)format;
}

static void
read_names(struct msg *w, struct arena *mem, const char *const **out, size_t *n)
{
	uint32_t count = msg_u32(w);
	const char **names;

	*out = NULL;
	*n = 0;
	if (count > WIRE_NAMES_MAX || w->bad) {
		w->bad = true;
		return;
	}
	names = arena_array(mem, count + 1, sizeof(*names));
	for (uint32_t i = 0; i < count; i++)
		if (!(names[i] = msg_text(w, mem, WIRE_NAME_MAX)))
			w->bad = true;
	*out = names;
	*n = count;
}

static void
read_part(struct msg *w, struct arena *mem, const struct sealed *files, uint32_t nfiles, struct part *out)
{
	uint8_t kind;
	uint32_t file;
	bool host;

	out->key = msg_text(w, mem, WIRE_NAME_MAX);
	kind = msg_u8(w);
	file = msg_u32(w);
	out->value = msg_text(w, mem, WIRE_LEAF_MAX);
	if (!out->key || kind > PART_HOST_CERT) {
		w->bad = true;
		return;
	}
	out->kind = (enum part_kind)kind;
	out->value = out->value ? out->value : "";
	host = out->kind != PART_VALUE && out->kind != PART_DOCKER;
	if (host != (file == NONE) || (!host && file >= nfiles)) {
		w->bad = true;
		return;
	}
	if (host) {
		struct seal_place *env = arena_alloc(mem, sizeof(*env));

		read_place(w, mem, env);
		out->env = env;
		read_names(w, mem, &out->names, &out->nnames);
	} else {
		out->sealed = &files[file];
	}
}

static void
read_parts(struct msg *w, struct arena *mem, struct request *r)
{
	uint32_t nfiles = msg_u32(w), n;
	struct sealed *files;

	if (nfiles > SEALED_MAX || w->bad) {
		w->bad = true;
		return;
	}
	files = arena_array(mem, nfiles + 1, sizeof(*files));
	for (uint32_t i = 0; i < nfiles; i++)
		read_sealed(w, mem, &files[i]);
	n = msg_u32(w);
	if (n == 0 || n > WIRE_PARTS_MAX || (r->op == OP_PART && n != 1) || w->bad) {
		w->bad = true;
		return;
	}
	r->parts = arena_array(mem, n, sizeof(*r->parts));
	r->nparts = n;
	for (uint32_t i = 0; i < n && !w->bad; i++)
		read_part(w, mem, files, nfiles, &r->parts[i]);
}

static void
read_files(struct msg *w, struct arena *mem, struct request *r)
{
	uint32_t n = msg_u32(w);

	if (n == 0 || n > DECRYPTOR_LOOKS_MAX || w->bad) {
		w->bad = true;
		return;
	}
	r->files = arena_array(mem, n, sizeof(*r->files));
	r->nfiles = n;
	for (uint32_t i = 0; i < n && !w->bad; i++)
		read_sealed(w, mem, &r->files[i]);
}

static void
read_body(struct msg *w, struct arena *mem, struct request *r)
{
	switch (r->op) {
	case OP_HELLO:
		r->generation = msg_u32(w);
		r->text = msg_text(w, mem, PATH_LONGEST);
		break;
	case OP_LOOK:
		read_sealed(w, mem, &r->sealed);
		break;
	case OP_RECIPIENT:
		read_place(w, mem, &r->place);
		r->generation = msg_u32(w);
		break;
	case OP_SIGN:
		r->text = msg_text(w, mem, WIRE_NAME_MAX);
		r->bytes = msg_bytes(w, WIRE_REQUEST_MAX, &r->n);
		break;
	case OP_HOST:
		read_place(w, mem, &r->place);
		read_names(w, mem, &r->names, &r->nnames);
		break;
	case OP_CHANNEL:
		break;
	case OP_RESEAL:
		r->text = msg_text(w, mem, AGE_TEXT_MAX);
		r->bytes = msg_bytes(w, WIRE_REQUEST_MAX, &r->n);
		read_parts(w, mem, r);
		break;
	case OP_PART:
		read_parts(w, mem, r);
		break;
	case OP_LOOKS:
		read_files(w, mem, r);
		break;
	}
}

int
request_read(struct arena *mem, const void *bytes, size_t n, struct request *out, struct err *e)
{
	struct msg w = { bytes, n, false };
	uint8_t op = msg_u8(&w);

	memset(out, 0, sizeof(*out));
	if (op >= OP_HELLO && op <= OP_LOOKS) {
		out->op = (enum wire_op)op;
		read_body(&w, mem, out);
		if (!w.bad && w.left == 0)
			return 0;
	}
	return err_set(e, ERR_INVALID, "the request cannot be read");
}

/* -- requests: writing ------------------------------------------------------------------------------------------------ */

static void
put_place(struct buf *b, const struct seal_place *p)
{
	msg_put_u8(b, (uint8_t)p->scope);
	msg_put_text(b, p->owner);
	msg_put_text(b, p->uid);
	msg_put_text(b, p->env);
}

static void
put_sealed(struct buf *b, const struct sealed *s)
{
	put_place(b, &s->place);
	msg_put_u8(b, (uint8_t)s->format);
	msg_put_u32(b, s->generation);
	msg_put_u32(b, s->oldest);
	msg_put_bytes(b, s->bytes, s->n);
}

static void
put_names(struct buf *b, const char *const *names, size_t n)
{
	msg_put_u32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		msg_put_text(b, names[i]);
}

/* Each sealed file once, however many parts come from it. */
static uint32_t
file_of(const struct sealed **files, uint32_t *n, const struct sealed *s)
{
	uint32_t i = 0;

	if (!s)
		return NONE;
	while (i < *n && files[i] != s)
		i++;
	if (i == *n && *n < SEALED_MAX)
		files[(*n)++] = s;
	return i;
}

static int
put_parts(struct buf *b, const struct request *r, struct err *e)
{
	const struct sealed *files[SEALED_MAX];
	uint32_t n = 0;

	if (r->nparts == 0 || r->nparts > WIRE_PARTS_MAX)
		return err_set(e, ERR_INVALID, "a Secret of %zu values, at most %d", r->nparts, WIRE_PARTS_MAX);
	for (size_t i = 0; i < r->nparts; i++) {
		uint32_t at = file_of(files, &n, r->parts[i].sealed);

		if (!r->parts[i].sealed && !r->parts[i].env)
			return err_set(e, ERR_INTERNAL, "the value %s comes from nowhere", r->parts[i].key);
		if (at != NONE && at >= SEALED_MAX)
			return err_set(e, ERR_INVALID, "a Secret of more than %d sealed files", SEALED_MAX);
	}
	msg_put_u32(b, n);
	for (uint32_t i = 0; i < n; i++)
		put_sealed(b, files[i]);
	msg_put_u32(b, (uint32_t)r->nparts);
	for (size_t i = 0; i < r->nparts; i++) {
		const struct part *p = &r->parts[i];

		msg_put_text(b, p->key);
		msg_put_u8(b, (uint8_t)p->kind);
		msg_put_u32(b, file_of(files, &n, p->sealed));
		msg_put_text(b, p->value);
		if (!p->sealed) {
			put_place(b, p->env);
			put_names(b, p->names, p->nnames);
		}
	}
	return 0;
}

static int
put_files(struct buf *b, const struct request *r, struct err *e)
{
	if (r->nfiles == 0 || r->nfiles > DECRYPTOR_LOOKS_MAX)
		return err_set(e, ERR_INVALID, "%zu sealed files at once, 1 to %d are possible", r->nfiles, DECRYPTOR_LOOKS_MAX);
	msg_put_u32(b, (uint32_t)r->nfiles);
	for (size_t i = 0; i < r->nfiles; i++)
		put_sealed(b, &r->files[i]);
	return 0;
}

static int
put_body(struct buf *b, const struct request *r, struct err *e)
{
	switch (r->op) {
	case OP_HELLO:
		msg_put_u32(b, r->generation);
		msg_put_text(b, r->text);
		break;
	case OP_LOOK:
		put_sealed(b, &r->sealed);
		break;
	case OP_RECIPIENT:
		put_place(b, &r->place);
		msg_put_u32(b, r->generation);
		break;
	case OP_SIGN:
		msg_put_text(b, r->text);
		msg_put_bytes(b, r->bytes, r->n);
		break;
	case OP_HOST:
		put_place(b, &r->place);
		put_names(b, r->names, r->nnames);
		break;
	case OP_CHANNEL:
		break;
	case OP_RESEAL:
		msg_put_text(b, r->text);
		msg_put_bytes(b, r->bytes, r->n);
		return put_parts(b, r, e);
	case OP_PART:
		return put_parts(b, r, e);
	case OP_LOOKS:
		return put_files(b, r, e);
	}
	return 0;
}

int
request_write(const struct request *r, struct buf *out, struct err *e)
{
	int rc;

	out->max = WIRE_REQUEST_MAX + WIRE_HEAD;
	msg_begin(out);
	msg_put_u8(out, (uint8_t)r->op);
	if ((rc = put_body(out, r, e)) < 0 || (rc = buf_check(out, "a request to the decryptor", e)) < 0)
		return rc;
	msg_end(out, 0);
	return 0;
}
