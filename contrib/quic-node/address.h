/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses as text and back. It must not resolve names. */
#ifndef QUIC_NODE_ADDRESS_H
#define QUIC_NODE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 80

struct address {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
    socklen_t len; /* 0: none */
};

/* "192.0.2.1:443", "[2001:db8::1]:443", "[fe80::1%eth0]:443". -EINVAL if it is not one. */
int address_parse(const char *text, struct address *ret);
/* The same without a port ("192.0.2.1", "2001:db8::1"); the port becomes 0. */
int address_parse_host(const char *text, struct address *ret);
const char *address_text(const struct address *a, char text[ADDRESS_TEXT_MAX]);
bool address_equal(const struct address *a, const struct address *b);
bool address_unspecified(const struct address *a);
unsigned address_port(const struct address *a);
void address_set_port(struct address *a, unsigned port);
int address_copy(struct address *a, const struct sockaddr *sa, size_t len);

#endif
