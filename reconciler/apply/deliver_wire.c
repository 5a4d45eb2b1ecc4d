/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers, lengths before bytes. */
#include "apply/deliver_wire.h"

#include <string.h>

#define MAGIC 0x62657230u /* of a batch */
#define NONE 0xffffffffu  /* in place of a length: NULL */

/* -- reading and writing ---------------------------------------------------------------------------------------------------- */

void
wire_u32(struct buf *b, uint32_t v)
{
	uint8_t raw[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

	buf_add(b, raw, sizeof(raw));
}

void
wire_i64(struct buf *b, int64_t v)
{
	wire_u32(b, (uint32_t)((uint64_t)v & 0xffffffffu));
	wire_u32(b, (uint32_t)((uint64_t)v >> 32));
}

void
wire_bytes(struct buf *b, const void *p, size_t n)
{
	wire_u32(b, (uint32_t)n);
	if (n)
		buf_add(b, p, n);
	buf_char(b, '\0');
}

void
wire_str(struct buf *b, const char *s)
{
	if (s)
		wire_bytes(b, s, strlen(s));
	else
		wire_u32(b, NONE);
}

static const char *
take(struct wire_reader *r, size_t n)
{
	const char *at = r->p;

	if (r->bad || (size_t)(r->end - r->p) < n) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return at;
}

uint32_t
wire_get_u32(struct wire_reader *r)
{
	const uint8_t *b = (const uint8_t *)take(r, 4);

	return b ? (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24 : 0;
}

int64_t
wire_get_i64(struct wire_reader *r)
{
	uint64_t low = wire_get_u32(r), high = wire_get_u32(r);

	return (int64_t)(high << 32 | low);
}

static const char *
get_text(struct wire_reader *r, uint32_t n)
{
	const char *at = take(r, (size_t)n + 1);

	if (at && at[n] == '\0')
		return at;
	r->bad = true;
	return "";
}

const char *
wire_get_bytes(struct wire_reader *r, size_t *n)
{
	uint32_t len = wire_get_u32(r);
	const char *at;

	if (len == NONE)
		r->bad = true;
	at = r->bad ? "" : get_text(r, len);
	*n = r->bad ? 0 : len;
	return at;
}

const char *
wire_get_str(struct wire_reader *r)
{
	uint32_t len = wire_get_u32(r);
	const char *at;

	if (r->bad)
		return "";
	if (len == NONE)
		return NULL;
	at = get_text(r, len);
	if (!r->bad && strlen(at) != len)
		r->bad = true; /* no text of ours has a NUL */
	return r->bad ? "" : at;
}

/* -- parts ------------------------------------------------------------------------------------------------------------------- */

static void
put_place(struct buf *b, const struct seal_place *p)
{
	wire_u32(b, (uint32_t)p->scope);
	wire_str(b, p->owner);
	wire_str(b, p->uid);
	wire_str(b, p->env);
}

static bool
get_place(struct wire_reader *r, struct seal_place *out)
{
	uint32_t scope = wire_get_u32(r);

	out->owner = wire_get_str(r);
	out->uid = wire_get_str(r);
	out->env = wire_get_str(r);
	out->scope = (enum place_scope)scope;
	return !r->bad && scope <= PLACE_SITE;
}

static void
put_sealed(struct buf *b, const struct sealed *s)
{
	put_place(b, &s->place);
	wire_u32(b, (uint32_t)s->format);
	wire_u32(b, s->generation);
	wire_u32(b, s->oldest);
	wire_bytes(b, s->bytes, s->n);
}

static bool
get_sealed(struct wire_reader *r, struct sealed *out)
{
	bool good = get_place(r, &out->place);
	uint32_t format = wire_get_u32(r);

	out->format = (enum seal_format)format;
	out->generation = wire_get_u32(r);
	out->oldest = wire_get_u32(r);
	out->bytes = wire_get_bytes(r, &out->n);
	return good && !r->bad && format <= SEAL_SOPS_DOTENV;
}

/* The first part with the same sealed file. */
static size_t
first_of(const struct part *parts, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (parts[j].sealed == parts[i].sealed)
			return j;
	return i;
}

void
parts_pack(const struct part *parts, size_t n, struct buf *out)
{
	wire_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		const struct part *p = &parts[i];

		wire_str(out, p->key);
		wire_u32(out, (uint32_t)p->kind);
		wire_str(out, p->value);
		wire_u32(out, p->sealed ? (uint32_t)first_of(parts, i) : NONE);
		if (p->sealed && first_of(parts, i) == i)
			put_sealed(out, p->sealed);
		wire_u32(out, p->env != NULL);
		if (p->env)
			put_place(out, p->env);
		wire_u32(out, (uint32_t)p->nnames);
		for (size_t j = 0; j < p->nnames; j++)
			wire_str(out, p->names[j]);
	}
}

static bool
get_env(struct arena *mem, struct wire_reader *r, struct part *p)
{
	uint32_t has = wire_get_u32(r);
	struct seal_place *env;

	if (r->bad || has > 1)
		return false;
	if (!has)
		return true;
	p->env = env = arena_alloc(mem, sizeof(*env));
	return get_place(r, env);
}

static bool
get_names(struct arena *mem, struct wire_reader *r, struct part *p)
{
	uint32_t n = wire_get_u32(r);
	const char **names;

	if (r->bad || n > WIRE_NAMES_MAX)
		return false;
	p->names = names = arena_array(mem, n + 1, sizeof(*names));
	p->nnames = n;
	for (size_t i = 0; i < n; i++)
		if (!(names[i] = wire_get_str(r)))
			return false;
	return !r->bad;
}

static bool
get_part(struct arena *mem, struct wire_reader *r, struct part *parts, size_t i)
{
	struct part *p = &parts[i];
	uint32_t kind, sealed;

	p->key = wire_get_str(r);
	kind = wire_get_u32(r);
	p->kind = (enum part_kind)kind;
	p->value = wire_get_str(r);
	sealed = wire_get_u32(r);
	if (r->bad || !p->key || kind > PART_HOST_CERT || (sealed != NONE && sealed > i))
		return false;
	if (sealed == i) {
		struct sealed *s = arena_alloc(mem, sizeof(*s));

		if (!get_sealed(r, s))
			return false;
		p->sealed = s;
	} else if (sealed != NONE && !(p->sealed = parts[sealed].sealed)) {
		return false;
	}
	return get_env(mem, r, p) && get_names(mem, r, p);
}

bool
parts_unpack(struct arena *mem, const char *bytes, size_t len, struct part **out, size_t *n)
{
	struct wire_reader r = { .p = bytes, .end = bytes + len };
	uint32_t count = wire_get_u32(&r);
	struct part *parts;

	if (r.bad || count > WIRE_PARTS_MAX)
		return false;
	parts = arena_array(mem, count + 1, sizeof(*parts));
	for (size_t i = 0; i < count; i++)
		if (!get_part(mem, &r, parts, i))
			return false;
	*out = parts;
	*n = count;
	return r.p == r.end;
}

/* -- a batch ------------------------------------------------------------------------------------------------------------------- */

void
batch_begin(struct buf *b, const struct wire_cluster *c, size_t items)
{
	wire_u32(b, MAGIC);
	wire_str(b, c->server);
	wire_str(b, c->ca);
	wire_str(b, c->cert);
	wire_str(b, c->key);
	wire_str(b, c->token);
	wire_u32(b, c->insecure);
	wire_i64(b, c->until_ms);
	wire_u32(b, (uint32_t)items);
}

void
batch_add(struct buf *b, const struct wire_item *i)
{
	wire_u32(b, i->id);
	wire_str(b, i->method);
	wire_str(b, i->path);
	wire_str(b, i->content_type);
	wire_bytes(b, i->body, i->body_len);
	wire_bytes(b, i->parts, i->parts_len);
}

bool
batch_read(struct wire_reader *r, struct wire_cluster *c, size_t *items)
{
	if (wire_get_u32(r) != MAGIC)
		return false;
	c->server = wire_get_str(r);
	c->ca = wire_get_str(r);
	c->cert = wire_get_str(r);
	c->key = wire_get_str(r);
	c->token = wire_get_str(r);
	c->insecure = wire_get_u32(r) != 0;
	c->until_ms = wire_get_i64(r);
	*items = wire_get_u32(r);
	return !r->bad && c->server;
}

bool
batch_item(struct wire_reader *r, struct wire_item *out)
{
	out->id = wire_get_u32(r);
	out->method = wire_get_str(r);
	out->path = wire_get_str(r);
	out->content_type = wire_get_str(r);
	out->body = wire_get_bytes(r, &out->body_len);
	out->parts = wire_get_bytes(r, &out->parts_len);
	return !r->bad && out->method && out->path && out->body_len > 2;
}

/* -- answers ------------------------------------------------------------------------------------------------------------------ */

void
answer_write(struct buf *b, const struct wire_answer *w)
{
	struct buf inner AUTO_BUF = BUF_INIT(WIRE_ANSWER_MAX);

	wire_u32(&inner, w->id);
	wire_u32(&inner, w->asked);
	wire_i64(&inner, w->a.code);
	wire_i64(&inner, w->a.status);
	wire_i64(&inner, w->a.retry_after_ms);
	wire_i64(&inner, w->a.took_ms);
	wire_str(&inner, w->a.reason ? w->a.reason : "");
	wire_str(&inner, w->a.message ? w->a.message : "");
	wire_bytes(&inner, w->a.body, w->a.len);
	wire_bytes(b, inner.data, inner.len);
}

int
answer_parse(const char *p, size_t n, size_t *used, struct wire_answer *out)
{
	struct wire_reader all = { .p = p, .end = p + n }, r;
	const char *bytes;
	uint32_t len;
	size_t inner;

	if (n < 4)
		return 0;
	len = wire_get_u32(&all);
	if (len > WIRE_ANSWER_MAX)
		return -1;
	if (n < (size_t)len + 5)
		return 0;
	all.p = p;
	bytes = wire_get_bytes(&all, &inner);
	r = (struct wire_reader){ .p = bytes, .end = bytes + inner };
	*out = (struct wire_answer){ .id = wire_get_u32(&r) };
	out->asked = wire_get_u32(&r) != 0;
	out->a.code = (int)wire_get_i64(&r);
	out->a.status = (long)wire_get_i64(&r);
	out->a.retry_after_ms = wire_get_i64(&r);
	out->a.took_ms = wire_get_i64(&r);
	out->a.reason = wire_get_str(&r);
	out->a.message = wire_get_str(&r);
	out->a.body = wire_get_bytes(&r, &out->a.len);
	*used = (size_t)(all.p - p);
	return all.bad || r.bad || r.p != r.end || !out->a.reason || !out->a.message ? -1 : 1;
}
