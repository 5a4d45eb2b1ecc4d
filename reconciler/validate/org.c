/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on berth.yaml alone. */
#include "lib/base/str.h"
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

void
validate_org(struct doc *d, struct report *r)
{
	size_t before = r->errors;

	if (!d->spec || !d->ok)
		return;
	check_approvals(d, r);
	if (r->errors != before)
		d->ok = false;
}
