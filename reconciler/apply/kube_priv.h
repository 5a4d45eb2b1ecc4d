/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the Kubernetes target share: what is known of every object (kube_store.c), what is being done to it (kube_ops.c,
 * kube_steps.c, for Secrets kube_deliver.c), what the cluster says (kube_see.c), what that means for a unit (kube_unit.c), and what is kept outside of
 * this process (kube_parent.c, kube_memory.c). Private to apply/kube_*.c and apply/target_kube.c.
 */
#pragma once

#include "apply/deliver.h"
#include "apply/health.h"
#include "lib/base/map.h"
#include "lib/kube/fields.h"
#include "lib/kube/kube.h"
#include "lib/kube/lease.h"
#include "plan/target.h"

#define LABEL_PART_OF "applyset.kubernetes.io/part-of" /* KEP-3659 */
#define LABEL_RETAINED "berth.dev/retained"            /* kept when its unit went: whoever comes back takes it over */
#define NOTE_UNIT "berth.dev/unit"
#define NOTE_DIGEST "berth.dev/digest"
#define NOTE_ADOPT "berth.dev/adopt"                   /* a person's word that berth may take over an object it did not make */
#define NOTE_KEEP "kustomize.toolkit.fluxcd.io/prune"  /* "disabled": claims and namespaces, unless onDelete is purge */

#define HASH_LEN 16 /* bytes kept of a digest: enough to tell two versions of one object apart */

/* Objects of a stage are sent when those of the stages before have been answered, unit by unit; deletions go backwards. */
enum stage { STAGE_FIRST, STAGE_MIDDLE, STAGE_WORK, STAGE_LAST, STAGE_COUNT };

/* One state of an object, as its metadata tells it. */
struct sight {
	uint8_t uid[16];
	uint64_t rv;
	int64_t generation; /* 0: the kind has none */
	uint8_t managed[HASH_LEN], body[HASH_LEN]; /* fields_view.digest; NOTE_DIGEST */
};

struct op;
struct kunit;

/* An object that berth put on the cluster, or means to. */
struct kobj {
	const char *key;   /* "apps/StatefulSet/dev-alice/train"; the map's */
	struct kunit *unit;
	struct kobj *next; /* of the unit */
	const struct kube_kind *kind;
	struct sight is;   /* as last seen, or as the last answer said */
	struct op *op;     /* under way or queued */
	uint8_t tried[HASH_LEN]; /* digest of the body that was sent last */
	uint32_t epoch;    /* of the list that showed it last */
	uint32_t answered; /* when an answer of ours last told `is`, in target_kube.turns; 0: none did */
	uint64_t health_rv; /* the version that health is of, where the watch tells it (kind_whole) */
	bool live, wanted, deleting, keep;
	bool maybe;        /* not live as far as we know, but its creation was sent and not answered: looked at before it is forgotten */
	bool sure;         /* `is` is what our own write made: nothing has to be looked at */
	bool foreign;      /* strangers' fields are in it: taken over before the next apply */
	uint8_t stage, health;
	uint8_t repairs;   /* of late: see kube_see.c, fights */
	uint8_t fails;     /* refusals in a row: they are tried again ever more rarely */
	int64_t repaired, quiet_until; /* clock_mono_ms */
	const char *reason;    /* of health; static */
	char *message;         /* of health */
	const char *why;       /* of error: "ApplyFailed" "Conflict" "Forbidden" "DataAtStake"; static */
	char *error;           /* the last refusal, one line */
};

/* A set of objects that come and go together: "envs/alice/train", "users/alice", "teams/vision", "org". */
struct kunit {
	const char *name;     /* the map's */
	struct kobj *objects;
	struct kpod *pods;
	bool dropped;         /* everything of it goes */
	bool prune;           /* what the last put did not name goes when the rest is well */
	bool wanted;          /* put in this process */
	bool dirty, changed;  /* in the lists of struct target_kube */
	unsigned todo[STAGE_COUNT], undo[STAGE_COUNT]; /* operations by stage: applies, deletions */
	size_t created, changed_n, deleted; /* objects, since the last commit */
	int64_t due;          /* when it is dirty: not before this */
	char *drift_by, *drift_what;
	/*
	 * How its last pod ended when that was not well: controllers delete such a pod and make it anew, often only to end the same way. Until
	 * all is well, something else is applied, or the time is over, it speaks for the new pod.
	 */
	struct {
		uint8_t health;
		const char *reason; /* NULL: it did not */
		char *message;
		int64_t until;      /* clock_mono_ms */
	} ended;
	char *address;
	const struct kobj *address_of; /* the Service that has it: shown when it is a wanted one */
	uint8_t told[HASH_LEN]; /* digest of the state that was given out last */
};

struct kpod {
	const char *key;      /* "dev-alice/train-0"; the map's */
	struct kunit *unit;
	struct kpod *next;
	uint8_t uid[16];
	uint32_t epoch;       /* of the list that showed it last */
	uint8_t health;
	bool ended;           /* phase Failed: it runs no more */
	const char *reason;
	char *message;
};

/* One kind that is listed and watched. */
struct kkind {
	struct target_kube *t;
	const struct kube_kind *kind;
	struct kube_watch *watch;
	uint32_t epoch;
	uint32_t begun;       /* when the newest list was asked for, in target_kube.turns */
	bool whole;           /* with spec and status, for health */
	struct err trouble;   /* of its list and watch, until a list works again; code 0: none */
};

enum op_what { OP_APPLY, OP_DELETE, OP_RELEASE };
enum op_step { STEP_START, STEP_CREATE, STEP_LOOK, STEP_TAKE, STEP_VERIFY, STEP_APPLY, STEP_LIVE, STEP_TRY, STEP_REPLACE, STEP_GONE, STEP_DELETE, STEP_RELEASE };

/* What is sent of an object, see kube_body.c. malloc'd. */
struct kbody {
	char *json;   /* with a slot for the guard; of a Secret without `data`. NULL: none */
	size_t len;
	char *parts;  /* what that is made of (parts_pack); NULL for everything that is no sealed Secret */
	size_t parts_len;
	uint8_t digest[HASH_LEN];
};

/* What is to be done to one object. */
struct op {
	struct op *next, *prev;
	struct target_kube *t;
	struct kobj *o;
	enum op_what what;
	enum op_step step;
	struct kbody body;    /* none for deletions */
	char *sent;           /* a body of this step alone */
	int64_t due;
	unsigned tries, looks;
	bool flying;
	bool alone;           /* a child ended over it, or over another of its batch: it goes by itself next time */
	bool late, late_gone, late_foreign; /* events that came while it was flying: judged after the answer */
	struct sight late_is;
	char *late_by, *late_what;
	struct kbody then;    /* a newer body that came while this one was flying */
	bool ns_there;
};

struct target_kube {
	struct target base;
	struct kube *kube;
	struct kube_config config;
	struct arena *mem;      /* of the target's life */
	struct arena *pass;     /* of the pass at hand */
	struct map objects;     /* key -> struct kobj * */
	struct map units;       /* name -> struct kunit * */
	struct map pods;        /* "ns/name" -> struct kpod * */
	struct kkind **kinds;   /* in order of first use */
	size_t nkinds;
	struct kube_watch *pod_watch, *event_watches[3];
	bool pods_synced;
	uint32_t pod_epoch;     /* of the pods' list */
	uint32_t turns;         /* counts what was asked for and what was answered: which came first */
	struct map prunes;      /* units with `dropped` or `prune` */
	struct op *ops;         /* all, oldest first */
	struct op *ops_last;
	size_t nops, flying, bodies; /* bodies: bytes */
	struct deliver *deliver;
	size_t delivering;      /* of flying: by children */
	struct kunit **dirty;   /* to be put again */
	size_t ndirty, dirty_cap;
	struct kunit **changed; /* whose state differs from what was told */
	size_t nchanged, changed_cap;
	bool opened, in_pass;
	const char **known;     /* units when the pass began, sorted; NULL: not asked yet */
	size_t nknown;
	bool wrote;             /* of the pass */
	bool decided;           /* deletions, since the last commit that went well */
	bool owes;              /* deletions are in the parent, the commit that asked for them is not: none of them leaves the list before it is … */
	bool pays, parent_pays; /* … which the next request to the parent does, or the one under way */
	unsigned lost;          /* requests in a row without an answer */
	int64_t lost_at;        /* when the last of them was given up; 0: never */
	int64_t pause_until;    /* the server asked for peace */
	/* kube_parent.c */
	const char *inventory, *namespace_;
	char id[64];            /* value of LABEL_PART_OF */
	char parent_uid[40];
	struct map listed;      /* "StatefulSet.apps" -> ""; kinds that the parent names */
	bool parent_dirty, parent_flying, has_source, source_dirty;
	struct oid source;
	char *parent_sent;
	unsigned parent_tries;
	int64_t parent_due;
	struct map drops;       /* units that are being deleted, as the parent says */
	/* kube_memory.c */
	const char *memory_file;
	bool memory_dirty;
	int64_t memory_due;
	/* counters for people */
	size_t requests, writes;
	struct arena *scratch;  /* of one answer */
	struct lease *lease;    /* NULL: this process alone */
	const atomic_bool *cancel;
	struct err pod_trouble, parent_trouble; /* of the pods' list and watch, and of the inventory: until they work again; code 0: none */
};

/* -- kube_store.c: what is known ------------------------------------------------------------------------------------------ */

/* "apps/StatefulSet/dev-alice/train". In mem. */
const char *kobj_key(struct arena *mem, const struct kube_kind *kind, const char *ns, const char *name);
/* The parts of a key; they point into buf (512 bytes). False when it is none. */
struct key_parts {
	const char *group, *kind, *ns, *name;
};
bool key_split(const char *key, char buf[512], struct key_parts *out);

/* "org", "teams/N", "users/N", "envs/N/N" with names as users and environments have them: what the cluster says may be forged. */
bool unit_name_valid(const char *name);
struct kunit *unit_get(struct target_kube *t, const char *name);  /* NULL: not known */
struct kunit *unit_make(struct target_kube *t, const char *name);
struct kobj *kobj_get(struct target_kube *t, const char *key);
struct kobj *kobj_make(struct target_kube *t, const char *key, const struct kube_kind *kind, struct kunit *u);
void kobj_move(struct kobj *o, struct kunit *u);   /* to another unit */
void kobj_forget(struct target_kube *t, struct kobj *o); /* it is gone and nobody wants it; its unit goes with its last object */
void kobj_error(struct kobj *o, const char *why, const char *text); /* NULL: none */
void kobj_health(struct kobj *o, const struct health_view *h);
/* It is there. Of a kind that only its metadata is read of, that is all there is to wait for. */
void kobj_lives(struct kobj *o);
/* Neither there nor perhaps there: may be forgotten. */
bool kobj_absent(const struct kobj *o);
bool unit_empty(const struct kunit *u);
void unit_done(struct target_kube *t, struct kunit *u); /* its last object went */
void unit_set_drift(struct kunit *u, const char *by, const char *what);
void unit_set_ended(struct kunit *u, const struct kpod *p); /* NULL: forgotten */

/* It must be put again (not before `due`). */
void unit_dirty(struct target_kube *t, struct kunit *u, int64_t due);
/* Its state may differ from what was told. */
void unit_touch(struct target_kube *t, struct kunit *u);
void unit_delete(struct target_kube *t, struct kunit *u); /* forgets it: it has no objects */
void store_free(struct target_kube *t);

enum stage stage_of(const struct kube_kind *kind);

/* -- kube_body.c: what is sent -------------------------------------------------------------------------------------------- */

/* The object with our labels and annotations as JSON, with room for a guard. Its digest covers the rendered object, and of a Secret its values' digests. */
void body_make(struct target_kube *t, struct arena *mem, const struct object *o, const char *unit, struct kbody *out);
void body_free(struct kbody *b);
size_t body_size(const struct kbody *b); /* bytes of memory */
/* "create only", "exactly this object", or nothing, into the slot. */
void body_guard_new(char *body);
void body_guard_uid(char *body, const uint8_t uid[16]);
void body_guard_none(char *body);

bool uid_parse(const char *text, uint8_t out[16]);
void uid_text(const uint8_t uid[16], char out[37]);
bool hash_parse(const char *text, uint8_t out[HASH_LEN]);
void hash_text(const uint8_t h[HASH_LEN], char out[2 * HASH_LEN + 1]);

/* -- kube_see.c: what the cluster says ------------------------------------------------------------------------------------- */

/* What metadata says of an object; `view` gets who wrote it. */
void sight_read(struct target_kube *t, struct arena *mem, const struct value *metadata, const char *kind, struct sight *out,
                struct fields_view *view);
bool sight_same(const struct kobj *o, const struct sight *s);
/* Is the object ours by its labels (this inventory)? */
bool metadata_ours(const struct target_kube *t, const struct value *metadata);
/* A state of a known object that no operation of ours explains. */
void judge(struct target_kube *t, struct kobj *o, const struct sight *s, const char *foreign, const char *what);
void judge_gone(struct target_kube *t, struct kobj *o);
/* It had seemed to be deleted, and only lost the label that our watches select by. */
void judge_strayed(struct kobj *o, const struct fields_view *view);
/* Lists and watches a kind from now on; the parent names it before anything of it is written. */
struct kkind *kind_follow(struct target_kube *t, const struct kube_kind *kind);
/* Kinds whose spec and status say how an environment is; of all others only metadata is read (never a Secret's data). */
bool kind_whole(const struct kube_kind *k);
void pods_follow(struct target_kube *t);
bool all_synced(const struct target_kube *t);

/* -- kube_ops.c, kube_steps.c: what is done ---------------------------------------------------------------------------------- */

#define FIGHT 10       /* repairs of one object within about 30 s: two are writing it in turn */
#define LOST_MANY 8    /* requests in a row without an answer: one unit asks, no other is queued */

/* The object is to be applied with this body (taken over, *body is none then); what is under way for it is told. */
void op_apply(struct target_kube *t, struct kobj *o, struct kbody *body);
struct op *op_new(struct target_kube *t, struct kobj *o, enum op_what what);
/* It is done: the object is as it should be, by this metadata. */
void op_done(struct op *op, const struct value *metadata, bool created);
/* The server refuses it: said, and tried again later, ever more rarely. */
void op_refused(struct op *op, const char *why, const char *text);
/* No answer, or not now: again after a while; given up for the next rendering after many. */
void op_later(struct op *op, const struct kube_answer *a);
void op_end(struct op *op);
/* Sends what may be sent. */
void ops_turn(struct target_kube *t);
/* Is there an operation that is neither waiting for time nor for the cluster to finish a deletion? */
bool ops_busy(const struct target_kube *t, int64_t now);
/* Deletions that are due: of dropped units, and of units whose new objects are well. */
void prunes_turn(struct target_kube *t);

void step_send(struct op *op);
/* What every request's answer is taken by; `ctx` is the operation. */
void step_on_answer(void *ctx, const struct kube_answer *a);
void step_answer(struct op *op, const struct kube_answer *a);

/* -- kube_deliver.c: what only a child may send -------------------------------------------------------------------------------- */

/* A Secret whose values are sealed: its body is completed and sent by a child (apply/deliver.h). */
bool op_is_sealed(const struct op *op);
/* Sends the operation's body so. */
void seal_send(struct op *op, const char *method, const char *path, const char *query, const char *type);
void seal_open(struct target_kube *t, struct decryptor *d); /* d: NULL without a master key */
/* Does the refusal name the type, which cannot be changed in place? */
bool seal_type_refused(struct op *op, const struct kube_answer *a);
/* "NotDelivered" when the server was never asked; else NULL. */
const char *seal_word(const struct kube_answer *a);

/* -- kube_unit.c ---------------------------------------------------------------------------------------------------------------- */

bool unit_well(const struct kunit *u); /* all wanted objects are applied and Ready or Paused */
void unit_state(struct target_kube *t, struct kunit *u, struct arena *mem, struct unit_state *out);

/* -- kube_parent.c ------------------------------------------------------------------------------------------------------------- */

int parent_open(struct target_kube *t, struct err *e) MUST_USE;
void parent_list(struct target_kube *t, const struct kube_kind *kind); /* the parent must name it before it is written */
void parent_turn(struct target_kube *t);
/* Deletions that are through, also those of a process that ended without saying so, leave the list: once the parent has the commit that asked for them. */
void drops_finished(struct target_kube *t);

/* -- kube_memory.c --------------------------------------------------------------------------------------------------------------- */

/* The lists are in: objects that still are what our own write made of them need no look. */
void memory_recall(struct target_kube *t);
/* Writes the file when something changed, after a while or `now`. */
void memory_turn(struct target_kube *t, bool now);
