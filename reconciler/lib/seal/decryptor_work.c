/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the decryptor does for one request. Everything that was sealed lives in guarded memory, for as long as the request, or as the channel that
 * asks for one value of a file after the other.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/base/str.h"
#include "lib/seal/decryptor_vault.h"
#include "lib/seal/sshsig.h"

#define TEXT_ROOM 256

/* -- values of a Secret ------------------------------------------------------------------------------------------------- */

static const struct sops_value_bytes *
value_named(const struct opened *o, const char *name)
{
	for (size_t i = 0; i < o->sops.n; i++)
		if (str_eq(opened_name(o, i), name))
			return &o->sops.values[i];
	return NULL;
}

static void
copy(const void *p, size_t n, struct secret *out)
{
	*out = secret_new(n);
	if (n)
		memcpy(out->b, p, n);
}

static int
docker(const struct opened *o, struct secret *out, struct err *e)
{
	static const char *const names[] = { "server", "username", "password" };
	const struct sops_value_bytes *found[3];
	struct docker_login l;
	int rc;

	if (!o->sops.leaves) {
		if ((rc = docker_config_check(o->one.b, o->one.n, e)) == 0)
			copy(o->one.b, o->one.n, out);
		return rc;
	}
	for (size_t i = 0; i < 3; i++)
		if (!(found[i] = value_named(o, names[i])))
			return err_set(e, ERR_INVALID, "there is no sealed value `%s` in it: a registry needs server, username and password", names[i]);
	l = (struct docker_login){ found[0]->b, found[1]->b, found[2]->b, found[0]->n, found[1]->n, found[2]->n };
	return docker_config_make(&l, out, e);
}

static int
sealed_part(struct vault *v, struct arena *mem, const struct part *p, struct secret *out, struct err *e)
{
	const struct sops_value_bytes *found;
	const struct opened *o;
	int rc = vault_file(v, mem, p->sealed, &o, e);

	if (rc < 0)
		return rc;
	if (p->kind == PART_DOCKER)
		return docker(o, out, e);
	if (!(found = value_named(o, p->value)))
		return err_set(e, ERR_NOTFOUND, "there is no sealed value `%.200s` in it", p->value);
	copy(found->b, found->n, out);
	return 0;
}

/* The certificate's line, and the public key. */
static int
host_certificate(struct vault *v, const struct seal_place *env, const char *const *names, size_t n, const uint8_t sk[64], struct arena *mem,
                 struct buf *line, struct err *e)
{
	uint8_t ca[64];

	if (n == 0 || n > WIRE_NAMES_MAX)
		return err_set(e, ERR_INVALID, "a host key for %zu names, 1 to %d are possible", n, WIRE_NAMES_MAX);
	master_host_ca(&v->m, ca);
	ssh_host_certificate(ca, sk + 32, arena_printf(mem, "%s/%s", env->owner, env->env), names, n, line);
	sodium_memzero(ca, sizeof(ca));
	return buf_check(line, "a host certificate", e);
}

static int
host_part(struct vault *v, struct arena *mem, const struct part *p, struct secret *out, struct err *e)
{
	struct buf AUTO_BUF line = BUF_INIT(65536);
	char public[TEXT_ROOM];
	uint8_t sk[64];
	int rc = master_host_key(&v->m, p->env, sk, e);

	if (rc < 0)
		return rc;
	if (p->kind == PART_HOST_KEY) {
		ssh_private_text(sk, arena_printf(mem, "%s/%s", p->env->owner, p->env->env), out);
	} else if (p->kind == PART_HOST_PUBLIC) {
		ssh_public_text(sk + 32, public);
		buf_printf(&line, "%s\n", public);
	} else if ((rc = host_certificate(v, p->env, p->names, p->nnames, sk, mem, &line, e)) == 0) {
		buf_str(&line, line.data[line.len - 1] == '\n' ? "" : "\n");
	}
	sodium_memzero(sk, sizeof(sk));
	if (rc == 0 && p->kind != PART_HOST_KEY)
		copy(line.data, line.len, out);
	return rc;
}

static int
part_bytes(struct vault *v, struct arena *mem, const struct part *p, struct secret *out, struct err *e)
{
	return p->sealed ? sealed_part(v, mem, p, out, e) : host_part(v, mem, p, out, e);
}

/* -- requests ---------------------------------------------------------------------------------------------------------- */

static int
look_at(struct vault *v, struct arena *mem, const struct sealed *s, struct buf *out, struct err *e)
{
	char digest[SEAL_DIGEST_HEX];
	struct opened o;
	const char *label;
	int rc = vault_unseal(v, mem, s, &o, e);

	if (rc < 0)
		return rc;
	if ((rc = place_info(mem, &s->place, 0, &label, e)) == 0) {
		msg_put_u32(out, o.generation);
		msg_put_u32(out, (uint32_t)o.sops.n);
		for (size_t i = 0; i < o.sops.n; i++) {
			master_digest(&v->m, label, o.sops.values[i].b, o.sops.values[i].n, digest);
			msg_put_text(out, opened_name(&o, i));
			msg_put_text(out, digest);
			msg_put_u32(out, (uint32_t)o.sops.values[i].n);
		}
	}
	opened_free(&o);
	return rc;
}

static int
look(struct vault *v, struct arena *mem, const struct request *r, struct buf *out, struct err *e)
{
	return look_at(v, mem, &r->sealed, out, e);
}

/* An answer for each: one that does not open takes no other with it. */
static int
looks(struct vault *v, struct arena *mem, const struct request *r, struct buf *out, struct err *e)
{
	struct buf AUTO_BUF one = BUF_INIT(WIRE_ANSWER_MAX);

	(void)mem;
	(void)e;
	for (size_t i = 0; i < r->nfiles; i++) {
		struct arena *AUTO_ARENA work = arena_new(WORK_MAX);
		struct err why = { 0 };
		int rc;

		msg_begin(&one);
		msg_put_u8(&one, 0);
		if ((rc = look_at(v, work, &r->files[i], &one, &why)) == 0 && (rc = buf_check(&one, "the answer", &why)) == 0)
			msg_end(&one, 0);
		if (rc < 0)
			msg_error(&one, rc, &why);
		buf_add(out, one.data, one.len);
	}
	return 0;
}

static int
recipient(struct vault *v, struct arena *mem, const struct request *r, struct buf *out, struct err *e)
{
	char text[AGE_TEXT_MAX];
	struct age_identity id;
	int rc = vault_identity(v, mem, &r->place, r->generation, &id, e);

	if (rc < 0)
		return rc;
	age_recipient_text(id.pk, text);
	sodium_memzero(&id, sizeof(id));
	msg_put_text(out, text);
	return 0;
}

static int
sign(struct vault *v, struct arena *mem, const struct request *r, struct buf *out, struct err *e)
{
	struct buf AUTO_BUF sig = BUF_INIT(65536);
	uint8_t sk[64];

	(void)mem;
	if (!r->text)
		return err_set(e, ERR_INVALID, "a signature without a namespace");
	master_signer(&v->m, sk);
	sshsig_sign(sk, r->text, r->bytes, r->n, &sig);
	sodium_memzero(sk, sizeof(sk));
	msg_put_bytes(out, sig.data, sig.len);
	return buf_check(&sig, "a signature", e);
}

static int
host(struct vault *v, struct arena *mem, const struct request *r, struct buf *out, struct err *e)
{
	struct buf AUTO_BUF line = BUF_INIT(65536);
	char digest[SEAL_DIGEST_HEX];
	uint8_t sk[64];
	const char *info;
	int rc = master_host_key(&v->m, &r->place, sk, e);

	if (rc < 0)
		return rc;
	rc = host_certificate(v, &r->place, r->names, r->nnames, sk, mem, &line, e);
	sodium_memzero(sk, sizeof(sk));
	if (rc < 0 || (rc = place_info(mem, &r->place, 0, &info, e)) < 0)
		return rc;
	master_digest(&v->m, arena_printf(mem, "%s;host", info), line.data, line.len, digest);
	msg_put_text(out, digest);
	msg_put_bytes(out, line.data, line.len);
	return 0;
}

/* Base64 of a part, as Kubernetes' `data` has it. */
static int
part_data(struct vault *v, struct arena *mem, const struct part *p, struct secret *out, char digest[SEAL_DIGEST_HEX], struct err *e)
{
	struct secret AUTO_SECRET plain = { 0 };
	int rc = part_bytes(v, mem, p, &plain, e);

	if (rc < 0)
		return rc;
	master_digest(&v->m, "reseal;value", plain.b, plain.n, digest);
	*out = secret_new(sodium_base64_ENCODED_LEN(plain.n, sodium_base64_VARIANT_ORIGINAL));
	(void)sodium_bin2base64((char *)out->b, out->n, plain.b, plain.n, sodium_base64_VARIANT_ORIGINAL);
	out->n--; /* the NUL */
	return 0;
}

/* All that goes in, by its keyed digests: what is not secret is in it too, so that no two files share what must be random. */
static void
reseal_seed(const struct vault *v, const struct request *r, const struct buf *digests, uint8_t seed[32])
{
	struct buf AUTO_BUF all = BUF_INIT(0);
	char hex[SEAL_DIGEST_HEX];

	msg_put_text(&all, r->text);
	msg_put_bytes(&all, r->bytes, r->n);
	msg_put_bytes(&all, digests->data, digests->len);
	for (size_t i = 0; i < 2; i++) {
		master_digest(&v->m, i == 0 ? "reseal;seed;0" : "reseal;seed;1", all.data, all.len, hex);
		(void)sodium_hex2bin(seed + 16 * i, 16, hex, sizeof(hex) - 1, NULL, NULL, NULL);
	}
	sodium_memzero(hex, sizeof(hex));
}

static int
reseal_values(struct vault *v, struct arena *mem, const struct request *r, const uint8_t to[32], struct sops_value *values,
              struct secret *data, struct buf *out, struct err *e)
{
	struct buf AUTO_BUF digests = BUF_INIT(0), file = BUF_INIT(WIRE_ANSWER_MAX / 2);
	char digest[SEAL_DIGEST_HEX];
	uint8_t seed[32];
	int rc;

	for (size_t i = 0; i < r->nparts; i++) {
		const char **keys = arena_array(mem, 2, sizeof(*keys));

		if ((rc = part_data(v, mem, &r->parts[i], &data[i], digest, e)) < 0)
			return err_wrap(e, "%s", r->parts[i].key);
		keys[0] = "data";
		keys[1] = r->parts[i].key;
		values[i] = (struct sops_value){ keys, 2, data[i].b, data[i].n };
		msg_put_text(&digests, r->parts[i].key);
		msg_put_text(&digests, digest);
	}
	reseal_seed(v, r, &digests, seed);
	rc = sops_seal(r->bytes, r->n, values, r->nparts, to, seed, &file, e);
	sodium_memzero(seed, sizeof(seed));
	if (rc < 0 || (rc = buf_check(&file, "a sealed Secret", e)) < 0)
		return rc;
	msg_put_bytes(out, file.data, file.len);
	return 0;
}

static int
reseal(struct vault *v, struct arena *mem, const struct request *r, struct buf *out, struct err *e)
{
	struct sops_value *values = arena_array(mem, r->nparts, sizeof(*values));
	struct secret *data = arena_array(mem, r->nparts, sizeof(*data));
	uint8_t to[32];
	int rc;

	if (!r->text)
		return err_set(e, ERR_INVALID, "a Secret for nobody");
	if ((rc = age_recipient_parse(r->text, strlen(r->text), to, e)) < 0)
		return rc;
	rc = reseal_values(v, mem, r, to, values, data, out, e);
	vault_forget(v);
	for (size_t i = 0; i < r->nparts; i++)
		secret_free(&data[i]);
	return rc;
}

static const struct {
	enum wire_op op;
	int (*serve)(struct vault *v, struct arena *mem, const struct request *r, struct buf *out, struct err *e);
} services[] = {
	{ OP_LOOK, look }, { OP_LOOKS, looks }, { OP_RECIPIENT, recipient }, { OP_SIGN, sign }, { OP_HOST, host }, { OP_RESEAL, reseal },
};

static int
serve_part(struct vault *v, struct arena *mem, const struct request *r, struct buf *answer, struct secret *plain, struct err *e)
{
	int rc = part_bytes(v, mem, &r->parts[0], plain, e);

	if (rc < 0)
		return rc;
	msg_begin(answer);
	msg_put_u8(answer, 0);
	msg_put_u32(answer, (uint32_t)plain->n);
	msg_end(answer, plain->n);
	return 0;
}

static int
serve_other(struct vault *v, struct arena *mem, const struct request *r, struct buf *answer, struct err *e)
{
	int rc = err_set(e, ERR_INVALID, "the decryptor has no such service");

	msg_begin(answer);
	msg_put_u8(answer, 0);
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (services[i].op == r->op)
			rc = services[i].serve(v, mem, r, answer, e);
	if (rc == 0 && (rc = buf_check(answer, "the answer", e)) == 0)
		msg_end(answer, 0);
	return rc;
}

void
vault_serve(struct vault *v, const void *bytes, size_t n, bool channel, struct buf *answer, struct secret *plain)
{
	struct arena *AUTO_ARENA mem = arena_new(WORK_MAX);
	struct request r;
	struct err e = { 0 };
	int rc = request_read(mem, bytes, n, &r, &e);

	*plain = (struct secret){ 0 };
	if (rc == 0 && channel != (r.op == OP_PART))
		rc = err_set(&e, ERR_DENIED, "parts of Secrets go to a channel, and nothing else does");
	else if (rc == 0)
		rc = channel ? serve_part(v, mem, &r, answer, plain, &e) : serve_other(v, mem, &r, answer, &e);
	if (rc < 0)
		msg_error(answer, rc, &e);
}
