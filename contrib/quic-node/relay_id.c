/* SPDX-License-Identifier: Apache-2.0 */
/* Ids at relays, from what both ends know. */
#include "node.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

/* Whoever has not got the key cannot tell an id from its parts. */
static void id_of(char ret[static RELAY_ID_SIZE], const char *key, const char *text)
{
    uint8_t digest[32];

    /* where that fails nobody meets, and no stranger is met */
    if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, strlen(key), text, strlen(text), digest) < 0)
        random_bytes(digest, sizeof(digest));
    relay_hex(ret, digest);
}

void relay_hex(char ret[static RELAY_ID_SIZE], const uint8_t data[static RELAY_ID_BYTES])
{
    for (size_t i = 0; i < RELAY_ID_BYTES; i++)
        snprintf(ret + 2 * i, 3, "%02x", data[i]);
}

void relay_random(char ret[static RELAY_ID_SIZE])
{
    uint8_t data[RELAY_ID_BYTES];

    random_bytes(data, sizeof(data));
    relay_hex(ret, data);
}

void relay_id_meet(char ret[static RELAY_ID_SIZE], const char *secret, const char *dialler,
                   const char *listener, uint64_t number)
{
    char text[600];

    snprintf(text, sizeof(text), "meeting\n%s\n%s\n%llu", dialler, listener,
             (unsigned long long)number);
    id_of(ret, secret, text);
}

void relay_id_stand(char ret[static RELAY_ID_SIZE], const char *key, const char *relay,
                    uint64_t number)
{
    char text[400];

    snprintf(text, sizeof(text), "stand\n%s\n%llu", relay, (unsigned long long)number);
    id_of(ret, key, text);
}
