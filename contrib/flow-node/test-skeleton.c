/* SPDX-License-Identifier: Apache-2.0 */
#include "skeleton.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct given {
    struct flow_tuple flows[3];
    unsigned at;
};

static const char *uplink(void *user, unsigned i, uint32_t *ret_mark)
{
    static const char *const names[] = {"up1", "ppp 0"};

    *ret_mark = (i + 1) << 24;
    return i < 2 ? names[i] : NULL;
}

static const struct flow_tuple *next(void *user, const char **ret_interface)
{
    struct given *given = user;

    if (given->at == 3) {
        given->at = 0;
        return NULL;
    }
    *ret_interface = given->at ? "ppp 0" : "up1";
    return &given->flows[given->at++];
}

static const char expected[] =
    "table inet t {}\n"
    "delete table inet t\n"
    "table inet t {\n"
    "map flows4 { type ipv4_addr . ipv4_addr . inet_service . inet_service : verdict; }\n"
    "set hold4 { type ipv4_addr . ipv4_addr . inet_service . inet_service; }\n"
    "map late4 { type ipv4_addr . ipv4_addr . inet_service . inet_service : ipv4_addr; }\n"
    "map late4_port { type ipv4_addr . ipv4_addr . inet_service . inet_service : inet_service; }\n"
    "map flows6 { type ipv6_addr . ipv6_addr . inet_service . inet_service : verdict; }\n"
    "set hold6 { type ipv6_addr . ipv6_addr . inet_service . inet_service; }\n"
    "map late6 { type ipv6_addr . ipv6_addr . inet_service . inet_service : ipv6_addr; }\n"
    "map late6_port { type ipv6_addr . ipv6_addr . inet_service . inet_service : inet_service; }\n"
    "chain to_up1 { meta mark set meta mark & 0xe0ffffff | 0x01000000; }\n"
    "chain to_ppp_200 { meta mark set meta mark & 0xe0ffffff | 0x02000000; }\n"
    "chain late_port {\n"
    "udp dport set ip saddr . ip daddr . udp sport . udp dport map @late4_port\n"
    "udp dport set ip6 saddr . ip6 daddr . udp sport . udp dport map @late6_port\n"
    "}\n"
    "chain late_look {\n"
    "ip daddr set ip saddr . ip daddr . udp sport . udp dport map @late4 notrack jump late_port\n"
    "ip6 daddr set ip6 saddr . ip6 daddr . udp sport . udp dport map @late6 notrack jump "
    "late_port\n"
    "ip saddr . ip daddr . udp sport . udp dport @hold4 notrack\n"
    "ip6 saddr . ip6 daddr . udp sport . udp dport @hold6 notrack\n"
    "}\n"
    "chain hold_look {\n"
    "ip saddr . ip daddr . udp sport . udp dport @hold4 notrack\n"
    "ip6 saddr . ip6 daddr . udp sport . udp dport @hold6 notrack\n"
    "}\n"
    "chain forwarded {\n"
    "type filter hook prerouting priority -140; policy accept;\n"
    "ct state established ct mark & 0x1f000000 == 0 return\n"
    "ip saddr . ip daddr . udp sport . udp dport vmap @flows4\n"
    "ip6 saddr . ip6 daddr . udp sport . udp dport vmap @flows6\n"
    "}\n"
    "chain own {\n"
    "type route hook output priority -140; policy accept;\n"
    "ct state established ct mark & 0x1f000000 == 0 return\n"
    "ip saddr . ip daddr . udp sport . udp dport vmap @flows4\n"
    "ip6 saddr . ip6 daddr . udp sport . udp dport vmap @flows6\n"
    "}\n"
    "chain sources {\n"
    "type nat hook postrouting priority 90; policy accept;\n"
    "meta mark & 0x1f000000 != 0 meta l4proto udp ct mark set ct mark | 0x1f000000 "
    "masquerade\n"
    "}\n"
    "}\n"
    "add element inet t flows4 {\n"
    "192.0.2.1 . 192.0.2.7 . 5000 . 443 : goto to_up1,\n"
    "192.0.2.2 . 192.0.2.7 . 1 . 65535 : goto to_ppp_200,\n"
    "}\n"
    "add element inet t flows6 {\n"
    "2001:db8::1 . 2001:db8::7 . 5000 . 443 : goto to_ppp_200,\n"
    "}\n";

static void test_text(void **state)
{
    const struct skeleton skeleton = {"t", 0x1f000000};
    struct given given = {0};
    struct buffer out = {0};

    tuple_parse("udp:192.0.2.7:443#192.0.2.1:5000", &given.flows[0]);
    tuple_parse("udp:[2001:db8::7]:443#[2001:db8::1]:5000", &given.flows[1]);
    tuple_parse("udp:192.0.2.7:65535#192.0.2.2:1", &given.flows[2]);
    skeleton_write(&skeleton, &out, uplink, next, &given);
    buffer_append(&out, "", 1);
    assert_string_equal(buffer_bytes(&out), expected);
    buffer_clear(&out);

    skeleton_chain(&skeleton, &out, "up1", 0x3000000);
    skeleton_chain_remove(&skeleton, &out, "up1");
    skeleton_remove(&skeleton, &out);
    buffer_append(&out, "", 1);
    assert_string_equal(buffer_bytes(&out),
                        "add chain inet t to_up1\n"
                        "flush chain inet t to_up1\n"
                        "add rule inet t to_up1 meta mark set meta mark & 0xe0ffffff | 0x03000000\n"
                        "delete chain inet t to_up1\n"
                        "table inet t {}\n"
                        "delete table inet t\n");
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
