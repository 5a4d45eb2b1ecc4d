/* SPDX-License-Identifier: Apache-2.0 */
/* What the token lacks, said when it starts and not with the first pull request. */
#include "lib/base/log.h"
#include "pulls/priv.h"

#define TRIES 3 /* at a forge that answers, but nothing that can be understood */

void
tell_rights(struct pulls *p)
{
	struct log_about a = { .run = p->c.run, .stage = "forge" };
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 30);
	struct forge_rights rights;
	struct err e = { 0 };

	if (p->rights_asked == TRIES || forge_limit_ms(p->forge))
		return;
	p->rights_asked++;
	if (forge_rights(p->forge, mem, &rights, &e) < 0)
		return; /* the turn meets it as well, and says it */
	p->rights_asked = TRIES;
	for (size_t i = 0; i < FORGE_RIGHTS; i++)
		if (rights.rows[i].may == FORGE_MAY_NOT)
			log_line(LOG_WARN, &a, "the forge's token%s%s may not %s (%s): it needs %s", *rights.login ? " of " : "", rights.login, rights.rows[i].what,
			         rights.rows[i].why, rights.rows[i].needs);
}
