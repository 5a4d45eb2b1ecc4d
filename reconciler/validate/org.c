/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on berth.yaml alone. */
#include <inttypes.h>

#include "lib/base/str.h"
#include "lib/seal/part.h"
#include "parse/say.h"
#include "parse/versions.h"
#include "validate/validate.h"

/*
 * An organization that asks for approvals must not be applied by a program that cannot prove them: nothing at all is better
 * than everything unproved. So the mode has to be written down, and be one that this version can keep.
 */
static void
check_approvals(const struct doc *d, struct report *r)
{
	const struct value *mode = value_at(d->root, "spec.approvals.mode");
	const char *text = value_as_str(mode, NULL);
	struct place at = mode ? mode->at : d->spec->at;
	struct finding *f;

	if (str_eq(text, "none") || str_eq(text, "signed") || str_eq(text, "forge"))
		return;
	if (text)
		f = report_add(r, FINDING_NOT_PERMITTED, SEVERITY_ERROR, at,
		               "spec.approvals.mode `%s` cannot be proved by this version of berth", text);
	else
		f = report_add(r, FINDING_MISSING_FIELD, SEVERITY_ERROR, at, "spec.approvals.mode is not set");
	f->width = text ? value_len(mode) : 0;
	finding_help(r, f, "write mode: signed with the admins' keys in approvers/allowed_signers, mode: forge to count reviews of pull requests, or mode: none to "
	                   "apply what is on the branch without proof of approval");
	finding_note(r, f, "nothing is applied as long as this stands, so that asking for approvals never means going without");
}

/* Templates of another version would change what runs, so there is nothing to fall back to. */
static void
check_render(const struct doc *d, struct report *r)
{
	const struct value *v = value_get(d->spec, "render");
	struct versions known = { VERSION_FIRST, VERSION_FIRST };
	char text[VERSIONS_TEXT];
	struct finding *f;

	/* the templates themselves say what is wrong with them */
	if (!value_is(v, VALUE_INT) || versions_known(&known, NULL) < 0 || (v->integer >= known.first && v->integer <= known.last))
		return;
	versions_text(&known, text);
	f = say(r, OUT_OF_RANGE, v->at, "spec.render is %" PRId64 ", this program has version %s of the templates", v->integer, text);
	if (v->integer > known.last)
		finding_help(r, f, "write render: %d, or run a newer berth that has version %" PRId64, known.last, v->integer);
	else
		finding_help(r, f, "move on to render: %d: `berth plan` shows what that changes", known.first);
}

static void
check_generations(const struct doc *d, struct report *r)
{
	const struct value *v = value_at(d->spec, "secrets.oldest");
	int64_t generation = value_as_int(value_at(d->spec, "secrets.generation"), 1);
	struct finding *f;

	if (!value_is(v, VALUE_INT))
		return;
	if (generation - v->integer >= SEAL_GENERATIONS_MAX) {
		f = say(r, OUT_OF_RANGE, v->at, "spec.secrets.oldest is %" PRId64 ", %" PRId64 " generations before %" PRId64, v->integer,
		        generation - v->integer, generation);
		finding_help(r, f, "at most %d open at a time: `berth seal --rotate` seals what is older again, then write oldest: %" PRId64,
		             SEAL_GENERATIONS_MAX, generation - SEAL_GENERATIONS_MAX + 1);
	}
	if (v->integer <= generation)
		return;
	f = say(r, OUT_OF_RANGE, v->at, "spec.secrets.oldest is %" PRId64 ", newer than the generation %" PRId64, v->integer, generation);
	finding_help(r, f, "it is the oldest generation that still opens: at most %" PRId64, generation);
}

void
validate_org(struct doc *d, struct report *r)
{
	size_t before = r->errors;

	if (!d->spec || !d->ok)
		return;
	check_approvals(d, r);
	check_render(d, r);
	check_generations(d, r);
	if (r->errors != before)
		d->ok = false;
}
