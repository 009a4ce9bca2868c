/* SPDX-License-Identifier: Apache-2.0 */
/* No datagram and no tick costs an allocation, whatever it is. Linked so that each call of the core
 * for memory comes here. */
#include "relay-lab.h"

static unsigned calls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
    calls++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    calls++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    calls++;
    return __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t n, size_t size)
{
    calls++;
    return __real_reallocarray(memory, n, size);
}

static void no_datagram_costs_an_allocation(void **state)
{
    static const char *const texts[] = {"some data", "REG:x           ", "REG:\xff",
                                        "",          "REG:other      ",  "REG:exact           "};
    struct relay_settings settings = lab_settings();
    struct relay_event event;
    unsigned before, acks = 0;
    struct lab lab;

    settings.max_data_bytes = 1000;
    settings.session_timeout_us = 5 * S;
    settings.reservation_ttl_us = 5 * S;
    calls = 0;
    lab_start(&lab, &settings);
    lab_list(&lab, "10.0.0.97\n10.0.0.98\nid:o*\nid:exact\n");
    assert_in_range(calls, 5, 100); /* they are counted */
    before = calls;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t dice = (i + 1) * 2654435761u >> 8;
        char client[8];

        snprintf(client, sizeof(client), "%c:%u", (int)('a' + dice % 3), 1 + dice / 3 % 2);
        acks += !strcmp(lab_say(&lab, client, texts[dice / 6 % 6]), "ACK");
        if (dice % 100 == 0)
            lab_lease(&lab, client, "x");
        if (dice % 1000 == 0)
            lab.now_us += 10 * S;
        lab.now_us += S / 20;
        relay_tick(lab.relay, lab.now_us);
        relay_event_next(lab.relay, &event);
    }
    assert_int_equal(calls, before);
    assert_true(acks > 100);
    assert_true(relay_count(lab.relay, RELAY_COUNT_FORWARDED_DATAGRAMS) > 100);
    assert_true(relay_count(lab.relay, RELAY_COUNT_ENDED_TIMEOUT) > 10);
    assert_true(relay_count(lab.relay, RELAY_COUNT_REFUSED_DENIED) > 10);
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_datagram_costs_an_allocation)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
