/* SPDX-License-Identifier: Apache-2.0 */
/* berth doctor: can this machine keep what is secret to one process? Of the limits that doctor itself was started with. */
#include "cli/doctor.h"
#include "lib/seal/sandbox.h"
#include "lib/seal/secret.h"

void
doctor_secrets(struct doctor *d)
{
	struct sandbox_lacks lacks;
	struct err own = { 0 };
	const char *why = NULL;

	if (seal_init(&own) < 0) {
		doctor_say(d, DOCTOR_FAIL, "secrets in memory", NULL, "%s", own.text);
		return;
	}
	if (secret_locked(&why))
		doctor_say(d, DOCTOR_OK, "secrets in memory", NULL, "what is opened is locked in memory and reaches no swap device");
	else
		doctor_say(d, DOCTOR_WARN, "secrets in memory", "deploy/berth.service sets it; in a pod turn swap of the node off", "%s", why);
	sandbox_probe(&lacks);
	for (size_t i = 0; i < lacks.n; i++)
		doctor_say(d, DOCTOR_WARN, "sandbox", "Linux 5.13 or newer, and seccompProfile RuntimeDefault where it runs in a pod", "%s",
		           lacks.text[i]);
	if (lacks.n == 0)
		doctor_say(d, DOCTOR_OK, "sandbox", NULL, "the process that opens secrets can be shut off from files, network and programs");
}
