/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on berth.yaml alone. */
#include <inttypes.h>

#include "lib/base/str.h"
#include "parse/reserved.h"
#include "parse/say.h"
#include "validate/validate.h"

/*
 * An organization that asks for approvals must not be applied by a program that cannot prove them: nothing at all is better
 * than everything unproved. So the mode has to be written down, and `none` is the only one that this version can keep.
 */
static void
check_approvals(const struct doc *d, struct report *r)
{
	const struct value *mode = value_at(d->root, "spec.approvals.mode");
	const char *text = value_as_str(mode, NULL);
	struct place at = mode ? mode->at : d->spec->at;
	struct finding *f;

	if (str_eq(text, "none"))
		return;
	if (text)
		f = report_add(r, FINDING_NOT_PERMITTED, SEVERITY_ERROR, at,
		               "spec.approvals.mode `%s` cannot be proved by this version of berth", text);
	else
		f = report_add(r, FINDING_MISSING_FIELD, SEVERITY_ERROR, at, "spec.approvals.mode is not set");
	f->width = text ? value_len(mode) : 0;
	finding_help(r, f, "write `approvals: {mode: none}` to apply what is on the branch without proof of approval");
	finding_note(r, f, "nothing is applied as long as this stands, so that asking for approvals never means going without");
}

/* Templates of another version would change what runs, so there is nothing to fall back to. */
static void
check_render(const struct doc *d, struct report *r)
{
	const struct value *v = value_get(d->spec, "render");
	struct finding *f;

	if (!value_is(v, VALUE_INT) || v->integer == TEMPLATES_VERSION)
		return;
	f = say(r, OUT_OF_RANGE, v->at, "spec.render is %" PRId64 ", this program has version %d of the templates", v->integer,
	        TEMPLATES_VERSION);
	finding_help(r, f, "write render: %d, or run the berth that has version %" PRId64, TEMPLATES_VERSION, v->integer);
}

void
validate_org(struct doc *d, struct report *r)
{
	size_t before = r->errors;

	if (!d->spec || !d->ok)
		return;
	check_approvals(d, r);
	check_render(d, r);
	if (r->errors != before)
		d->ok = false;
}
