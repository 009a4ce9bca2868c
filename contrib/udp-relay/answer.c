/* SPDX-License-Identifier: Apache-2.0 */
/* What the relay says itself. No answer is longer than its question: nobody is hit by more than
 * what somebody has sent in his name. */
#include "relay_private.h"

#include <stdio.h>

void answer_text(struct relay *relay, struct relay_out *out, const char *text, size_t size)
{
    size_t length = strlen(text);

    if (length > size || length > sizeof(out->answer)) {
        relay_count_one(relay, RELAY_COUNT_ANSWERS_WITHHELD);
        return;
    }
    out->action = RELAY_ANSWER;
    out->answer_size = (uint8_t)length;
    memcpy(out->answer, text, length);
}

void answer_rarely(struct relay *relay, uint64_t now_us, uint64_t *said_us, struct relay_out *out,
                   const char *text, size_t size)
{
    if (strlen(text) <= size && !rate_say(said_us, now_us))
        relay_count_one(relay, RELAY_COUNT_ANSWERS_WITHHELD);
    else
        answer_text(relay, out, text, size);
}

/* In a flood from many addresses saying no would be most of the work, and all of it is sent to
 * those in whose names the flood comes. */
static bool may_refuse(struct relay *relay)
{
    if (relay->now_us - relay->refusals_second_us >= UINT64_C(1000000)) {
        relay->refusals_second_us = relay->now_us;
        relay->refusals_in_second = 0;
    }
    return relay->refusals_in_second++ < REFUSALS_PER_S;
}

void answer_stranger(struct relay *relay, uint64_t now_us, uint64_t *said_us, struct relay_out *out,
                     const char *text, size_t size)
{
    if (strlen(text) <= size && ((said_us && !rate_say(said_us, now_us)) || !may_refuse(relay)))
        relay_count_one(relay, RELAY_COUNT_ANSWERS_WITHHELD);
    else
        answer_text(relay, out, text, size);
}

static void number_text(char out[static 24], uint64_t number)
{
    if (number == UINT64_MAX)
        snprintf(out, 24, "-");
    else
        snprintf(out, 24, "%llu", (unsigned long long)number);
}

void answer_lease(struct relay *relay, uint64_t now_us, const struct session *session,
                  struct relay_out *out)
{
    const struct relay_settings *settings = &relay->settings;
    uint64_t left_bytes = settings->max_data_bytes ? settings->max_data_bytes : UINT64_MAX;
    uint64_t left_us = settings->max_duration_us;
    char text[RELAY_ANSWER_MAX + 1], bytes[24], ms[24];

    for (unsigned i = 0; i < session->n_members; i++) {
        uint64_t left = member_left_bytes(relay, &session->members[i]);

        left_bytes = left < left_bytes ? left : left_bytes;
    }
    if (session->opened_us) /* else its time has not begun */
        left_us -= left_us ? now_us - session->opened_us : 0;
    number_text(bytes, left_bytes);
    number_text(ms, settings->max_duration_us ? left_us / 1000 : UINT64_MAX);
    snprintf(text, sizeof(text), "LEASE:%s,%s\n", bytes, ms);
    answer_text(relay, out, text, RELAY_LEASE_MIN);
    relay_count_one(relay, RELAY_COUNT_LEASES);
}
