/* SPDX-License-Identifier: Apache-2.0 */
/* control/order.c: the first ones of many, as a sort of all would have them. */
#include "check.h"
#include "control/order.h"
#include "util/util.h"

#define PEERS 500u

struct table {
    struct inspect_peer peers[PEERS];
    char names[PEERS][16];
};

/* Not many different values, so that the next key decides often. */
static struct table *table_new(void)
{
    struct table *table = memory_new(1, sizeof(*table));
    uint64_t seed = 7;

    for (uint32_t i = 0; i < PEERS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        snprintf(table->names[i], sizeof(table->names[i]), "p%u", (unsigned)(seed >> 33) % 300);
        table->peers[i] = (struct inspect_peer){
            .index = i,
            .conn = (seed >> 40) % 1000,
            .name = table->names[i],
            .condition = (enum inspect_condition)((seed >> 35) % ORDER_CONDITIONS),
            .silent_us = (seed >> 20) % 3 ? (seed >> 50) % 4 : INSPECT_NEVER,
            .srtt_us = (seed >> 25) % 3 ? (seed >> 45) % 5 : PD_UNKNOWN,
            .up_for_us = (seed >> 55) % 50,
        };
    }
    return table;
}

static bool is_first(const struct order *some, const struct order *all)
{
    for (uint32_t i = 0; i < some->n; i++)
        if (order_at(some, i)->index != order_at(all, i)->index)
            return false;
    return true;
}

/* Fewer are the beginning of more, whatever was thrown out on the way. */
static void first_of_many(void **state)
{
    struct table *table = table_new();

    for (int key = 0; key < ORDER_KEYS; key++) {
        struct order all, some;

        order_init(&all, (enum order_key)key, PEERS);
        order_init(&some, (enum order_key)key, 20);
        for (uint32_t i = 0; i < PEERS; i++) {
            order_offer(&all, &table->peers[i]);
            order_offer(&some, &table->peers[i]);
        }
        assert_int_equal(all.n, PEERS);
        assert_int_equal(some.n, 20);
        assert_true(is_first(&some, &all));
        order_clear(&all);
        order_clear(&some);
    }
    free(table);
}

static struct order sorted(struct table *table, enum order_key key)
{
    struct order order;

    order_init(&order, key, PEERS);
    for (uint32_t i = 0; i < PEERS; i++)
        order_offer(&order, &table->peers[i]);
    return order;
}

static void each_key_orders(void **state)
{
    struct table *table = table_new();
    struct order rtt = sorted(table, ORDER_RTT), name = sorted(table, ORDER_NAME),
                 conn = sorted(table, ORDER_CONN), age = sorted(table, ORDER_AGE),
                 as_it_is = sorted(table, ORDER_TABLE), worst = sorted(table, ORDER_WORST);

    for (uint32_t i = 1; i < PEERS; i++) {
        uint64_t before = order_at(&rtt, i - 1)->srtt_us, after = order_at(&rtt, i)->srtt_us;

        assert_true(after == PD_UNKNOWN || (before != PD_UNKNOWN && before >= after) || !after);
        assert_true(strcmp(order_at(&name, i - 1)->name, order_at(&name, i)->name) <= 0);
        assert_true(order_at(&conn, i - 1)->conn <= order_at(&conn, i)->conn);
        assert_true(order_at(&age, i - 1)->up_for_us >= order_at(&age, i)->up_for_us);
        assert_int_equal(order_at(&as_it_is, i)->index, i);
    }
    assert_int_equal(order_at(&worst, 0)->condition, INSPECT_IS_SILENT);
    assert_int_equal(order_at(&worst, PEERS - 1)->condition, INSPECT_IS_UP);
    order_clear(&rtt);
    order_clear(&name);
    order_clear(&conn);
    order_clear(&age);
    order_clear(&as_it_is);
    order_clear(&worst);
    free(table);
}

/* None is kept, and all are counted. */
static void counts_all(void **state)
{
    struct table *table = table_new();
    uint32_t sum = 0, n_silent = 0;
    struct order order;

    order_init(&order, ORDER_WORST, 0);
    for (uint32_t i = 0; i < PEERS; i++) {
        order_offer(&order, &table->peers[i]);
        n_silent += table->peers[i].condition == INSPECT_IS_SILENT;
    }
    for (size_t i = 0; i < ORDER_CONDITIONS; i++)
        sum += order.counts[i];
    assert_int_equal(sum, PEERS);
    assert_int_equal(order.counts[INSPECT_IS_SILENT], n_silent);
    assert_int_equal(order.n, 0);
    order_clear(&order);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_of_many),
        cmocka_unit_test(each_key_orders),
        cmocka_unit_test(counts_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
