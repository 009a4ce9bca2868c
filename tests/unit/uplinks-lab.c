/* SPDX-License-Identifier: Apache-2.0 */
/* See uplinks-lab.h. */
#include "uplinks-lab.h"

static const struct uplink_config sections[] = {
    {"home", "up0", UPLINK_PRIMARY},
    {"fibre", "up1", UPLINK_SPARE},
    {"sat", "up2", UPLINK_SPARE},
    {"lte", "wwan0", UPLINK_METERED},
};

void uplinks_init(struct lab *lab, uint32_t features)
{
    lab_init(lab);
    lab->features = features;
    lab->config.uplinks = sections;
    lab->config.n_uplinks = ARRAY_SIZE(sections);
    lab->config.fallback = FALLBACK_OFF;
    lab->config.cooldown_us = SEC;
    lab->config.retries = 0;
}

void uplinks_begin(struct lab *lab)
{
    lab_begin(lab);
    uplinks_host(lab, "");
    uplinks_peer(lab, 1, ON_HOME);
    lab_skip(lab);
}

static int setup(void **state, uint32_t features, bool learned)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    uplinks_init(lab, features);
    if (learned)
        lab->config.n_uplinks = 0;
    uplinks_begin(lab);
    *state = lab;
    return 0;
}

int uplinks_setup(void **state)
{
    return setup(state, BINDS, false);
}

int uplinks_setup_probes(void **state)
{
    return setup(state, PROBES, false);
}

int uplinks_setup_learned(void **state)
{
    return setup(state, BINDS, true);
}

/* ---- what happens ---- */

void uplinks_host(struct lab *lab, const char *down)
{
    struct event_interface list[] = {
        {"up0", "10.0.0.2", true, false, true, false},
        {"up1", "10.0.1.2", true, false, true, false},
        {"up2", "10.0.2.2", true, false, true, false},
        {"wwan0", "10.0.3.2", true, true, true, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(list); i++)
        list[i].carrier = !strstr(down, list[i].name);
    lab_event(lab,
              &(struct event){.type = EVENT_INTERFACES, .interfaces = {list, ARRAY_SIZE(list)}});
}

void uplinks_config(struct lab *lab)
{
    struct engine_config *next = &lab->next[lab->engine->config == &lab->next[0]];

    *next = lab->config;
    assert_int_equal(engine_configure(lab->engine, next), 0);
    lab_command(lab, &(struct event_command){.type = COMMAND_CONFIG});
}

void uplinks_peer_role(struct lab *lab, uint64_t conn, const char *local, enum pd_role role)
{
    char name[16];

    snprintf(name, sizeof(name), "p%u", (unsigned)conn);
    lab_peer_told(lab, &(struct event_peer_up){.peer = name,
                                               .conn = conn,
                                               .role = role,
                                               .local = local,
                                               .remote = "192.0.2.1:443",
                                               .migratable = true,
                                               .reconnectable = true});
    lab_fresh(lab, conn, 50 * MS);
}

void uplinks_peer(struct lab *lab, uint64_t conn, const char *local)
{
    uplinks_peer_role(lab, conn, local, PD_ROLE_CLIENT);
}

void uplinks_dead(struct lab *lab, uint64_t conn)
{
    lab_advise(lab, conn, PD_KIND_DEAD);
}

void uplinks_led(struct lab *lab, uint64_t conn, const char *interface)
{
    const struct pd_field evidence[] = {{"oif_before", "up0", 0}, {"oif_after", interface, 0}};

    lab_advise_full(lab, conn,
                    &(struct pd_advice){.kind = PD_KIND_MOVED,
                                        .reason = "the route changed",
                                        .evidence = evidence,
                                        .n_evidence = ARRAY_SIZE(evidence)});
}

void uplinks_moved(struct lab *lab, uint64_t request, const char *local)
{
    lab_answer(lab, &(struct event_answer){
                        .request = request, .ok = true, .validated = true, .local = local});
}

void uplinks_go(struct lab *lab, uint64_t conn, const char *interface, const char *local)
{
    const struct uplinks *uplinks = &lab->engine->uplinks;
    uint64_t probe, request;

    lab_skip(lab);
    uplinks_dead(lab, conn);
    probe = uplinks_find_probe(lab, lab->read_polls, interface);
    if (probe)
        uplinks_probed(lab, probe, 50 * MS);
    while (uplinks->n_probes)
        uplinks_probed(lab, uplinks->probes[0].number, 0);
    request = expect_move_over(lab, conn, interface);
    lab_skip(lab);
    uplinks_moved(lab, request, local);
}

void uplinks_leave(struct lab *lab, uint64_t conn, const char *interface, const char *local)
{
    uplinks_go(lab, conn, interface, local);
    lab_skip(lab);
}

void uplinks_hold(struct lab *lab, const char *name, uint64_t duration_us)
{
    lab_command(
        lab, &(struct event_command){
                 .type = COMMAND_HOLD, .uplink = name, .duration_us = duration_us, .who = "uid 7"});
}

void uplinks_release(struct lab *lab, const char *name)
{
    lab_command(lab,
                &(struct event_command){.type = COMMAND_RELEASE, .uplink = name, .who = "uid 7"});
}

void uplinks_probed(struct lab *lab, uint64_t probe, uint64_t rtt_us)
{
    lab_event(lab, &(struct event){.type = EVENT_PROBED,
                                   .probed = {.probe = probe,
                                              .ok = rtt_us > 0,
                                              .rtt_us = rtt_us,
                                              .code = rtt_us ? 0 : NODE_TIMEOUT}});
}

void uplinks_time(struct lab *lab, uint64_t span_us)
{
    lab_time(lab, span_us);
    lab_event(lab, &(struct event){.type = EVENT_TIMER});
}

/* ---- what came of it ---- */

static void is_text(const char *what, const struct text *text, const char *expected,
                    const char *file, int line)
{
    const char *is = text ? text->s : "";

    if (strcmp(is, expected) != 0) {
        print_error("%s is \"%s\", expected \"%s\"\n", what, is, expected);
        _fail(file, line);
    }
}

void uplinks_expect_choice(struct lab *lab, uint64_t conn, enum verdict verdict, const char *target,
                           const char *choice, const char *file, int line)
{
    const struct record_decision *decision = lab_expect_decision(lab, conn, verdict, file, line);

    is_text("the choice", decision->choice, choice, file, line);
    is_text("the target", decision->target, target, file, line);
}

uint64_t uplinks_expect_move(struct lab *lab, uint64_t conn, const char *interface,
                             const char *file, int line)
{
    const struct lab_action *move = lab_next_move(lab);

    if (!move || move->conn != conn || strcmp(move->interface, interface) != 0) {
        print_error("asked of conn %lu over \"%s\", expected %lu over \"%s\"\n",
                    (unsigned long)(move ? move->conn : 0), move ? move->interface : "-",
                    (unsigned long)conn, interface);
        _fail(file, line);
        return 0;
    }
    return move->request;
}

uint64_t uplinks_find_probe(const struct lab *lab, size_t since, const char *interface)
{
    for (size_t i = lab->n_actions; i-- > since;)
        if (lab->actions[i].type == ACTION_PROBE_PATH &&
            !strcmp(lab->actions[i].interface, interface))
            return lab->actions[i].request;
    return 0;
}

unsigned uplinks_count_probes(const struct lab *lab, size_t since)
{
    unsigned n = 0;

    for (size_t i = since; i < lab->n_actions; i++)
        n += lab->actions[i].type == ACTION_PROBE_PATH;
    return n;
}

struct uplink *uplinks_get(const struct lab *lab, const char *name)
{
    struct uplink *found =
        uplink_at(lab->engine, uplink_place(lab->engine, uplinks_find(lab->engine, name)));

    assert_non_null(found);
    return found;
}

struct inspect_uplink uplinks_inspect(const struct lab *lab, const char *name)
{
    struct inspect_uplink found;

    assert_true(inspect_uplink_find(lab->engine, lab->now_us, name, &found));
    return found;
}

const char *uplinks_expect_change(struct lab *lab, const char *name, enum uplink_change change,
                                  const char *file, int line)
{
    const struct record *record = lab_next(lab, RECORD_UPLINK);

    if (!record || record->uplink.change != change) {
        print_error("the uplink's record is \"%s\", expected \"%s\"\n",
                    record ? uplink_change_name(record->uplink.change) : "-",
                    uplink_change_name(change));
        _fail(file, line);
        return "";
    }
    is_text("the uplink", record->uplink.uplink, name, file, line);
    return record->uplink.reason->s;
}
