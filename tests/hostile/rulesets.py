# SPDX-License-Identifier: Apache-2.0
"""Rulesets as others write them, for a gateway with a LAN behind `lan` and the uplinks up0, up1 and lte: what Docker,
firewalld and mwan3 load, in short. Written by hand, after what they print."""

DOCKER = """
table ip nat {
    chain DOCKER {
        iifname "docker0" counter return
        iifname != "docker0" tcp dport 8080 counter dnat to 172.17.0.2:80
    }
    chain PREROUTING {
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local counter jump DOCKER
    }
    chain OUTPUT {
        type nat hook output priority -100; policy accept;
        ip daddr != 127.0.0.0/8 fib daddr type local counter jump DOCKER
    }
    chain POSTROUTING {
        type nat hook postrouting priority srcnat; policy accept;
        oifname != "docker0" ip saddr 172.17.0.0/16 counter masquerade
        ip saddr 192.168.7.0/24 oifname { "up0", "up1", "lte" } counter masquerade
    }
}
table ip filter {
    chain DOCKER-USER {
        iifname "lan" counter accept
        oifname "lan" ct state established,related counter accept
        counter return
    }
    chain DOCKER-ISOLATION-STAGE-1 {
        iifname "docker0" oifname != "docker0" counter drop
        counter return
    }
    chain FORWARD {
        type filter hook forward priority filter; policy drop;
        counter jump DOCKER-USER
        counter jump DOCKER-ISOLATION-STAGE-1
        oifname "docker0" ct state established,related counter accept
        iifname "docker0" oifname != "docker0" counter accept
    }
}
"""

FIREWALLD = """
table inet firewalld {
    chain mangle_PREROUTING {
        type filter hook prerouting priority mangle + 10; policy accept;
        jump mangle_PRE_external
    }
    chain mangle_PRE_external {
        iifname "lan" udp dport 443 meta mark set meta mark or 0x1
    }
    chain nat_POSTROUTING {
        type nat hook postrouting priority srcnat + 10; policy accept;
        oifname { "up0", "up1", "lte" } jump nat_POST_external
    }
    chain nat_POST_external {
        meta nfproto ipv4 oifname != "lo" masquerade
    }
    chain filter_PREROUTING {
        type filter hook prerouting priority filter + 10; policy accept;
        icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
    }
    chain filter_INPUT {
        type filter hook input priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        iifname "lan" accept
        meta l4proto { icmp, ipv6-icmp } accept
        reject with icmpx admin-prohibited
    }
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state invalid drop
        iifname "lan" oifname { "up0", "up1", "lte" } accept
        reject with icmpx admin-prohibited
    }
    chain filter_OUTPUT {
        type filter hook output priority filter + 10; policy accept;
        oifname "lo" accept
    }
}
"""

# mwan3 (iptables-nft): a connection keeps the mark of the uplink on which it began, in 0x3f00, and rules take the
# marks to tables. Its chains are in mangle.
MWAN3 = """
table ip mangle {
    chain mwan3_policy {
        meta mark & 0x00003f00 == 0x00000000 counter meta mark set meta mark & 0xffffc0ff | 0x00000100
    }
    chain mwan3_hook {
        meta mark & 0x00003f00 == 0x00000000 counter meta mark set ct mark & 0x00003f00
        meta mark & 0x00003f00 == 0x00000000 counter jump mwan3_policy
        counter ct mark set meta mark & 0x00003f00
    }
    chain PREROUTING {
        type filter hook prerouting priority mangle; policy accept;
        iifname "lan" ip daddr != 192.168.7.0/24 counter jump mwan3_hook
    }
    chain POSTROUTING {
        type filter hook postrouting priority mangle; policy accept;
        meta mark & 0x00003f00 == 0x00000100 counter
    }
}
"""
MWAN3_RULES = ("pref 2001 fwmark 0x100/0x3f00 lookup 101", "pref 2002 fwmark 0x200/0x3f00 lookup 102")
