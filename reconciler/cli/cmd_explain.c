/* SPDX-License-Identifier: Apache-2.0 */
/* berth explain: what a finding's code means. */
#include <stdio.h>
#include <strings.h>

#include "cli/cmd.h"
#include "lib/doc/report.h"

static int
run(const struct args *a, struct err *e)
{
	for (int i = 0; i < FINDING_COUNT; i++) {
		enum finding_code c = (enum finding_code)i;

		if (!a->npos)
			(void)printf("%s  %s\n", finding_id(c), finding_title(c));
		else if (strcasecmp(a->pos[0], finding_id(c)) == 0) {
			(void)printf("%s: %s\n\n%s\n", finding_id(c), finding_title(c), finding_why(c));
			return EXIT_FINE;
		}
	}
	if (!a->npos)
		return EXIT_FINE;
	(void)err_set(e, ERR_USAGE, "there is no code %s", a->pos[0]);
	return err_hint(e, "`berth explain` lists them all");
}

static const struct opt opts[] = { { NULL, NULL, NULL } };

const struct verb cmd_explain = {
	.name = "explain", .args = "[CODE]", .summary = "what a code of `berth validate` means",
	.examples = "berth explain E102\nberth explain          all codes\n",
	.opts = opts, .max = 1, .run = run,
};
