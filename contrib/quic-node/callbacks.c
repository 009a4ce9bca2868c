/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ngtcp2 calls. From in here no connection is closed and nothing is written: flags are
 * set, and conn.c acts on them when the library has returned.
 */
#include "node.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void on_rand(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx)
{
    (void)ctx;
    random_bytes(dest, len);
}

/*
 * The library has no counters for RTT samples and lost packets, and 1.x tells neither of PTOs
 * nor of recovery; its log has a line for each, and this is how they are counted. Only lines of
 * ngtcp2_log_info() matter: their format is this one, the text comes ready as the last argument.
 */
void quic_log(void *user_data, const char *format, ...)
{
    struct conn *c = user_data;
    struct quic_counted *counted = &c->counted;
    char line[512];
    const char *text;
    va_list ap;

    if (strcmp(format, "I%08" PRIu64 " 0x%s %s %s") != 0)
        return;
    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    if (strstr(line, " latest_rtt=")) { /* something new was acknowledged */
        counted->pto_count = 0;
        counted->acks++;
        counted->rtt_samples += !strstr(line, "ignore rtt sample");
    } else if (strstr(line, " lost type=")) {
        counted->packets_lost++;
    } else if ((text = strstr(line, " pto_count=")) != NULL) {
        counted->pto_count = strtoull(text + strlen(" pto_count="), NULL, 10);
    } else if (strstr(line, " loss detection timer canceled")) { /* nothing is under way */
        counted->pto_count = 0;
    } else if (strstr(line, " reduce cwnd because of packet loss")) {
        counted->recovery_start_ns = c->node->now_ns;
    }
}

static int on_new_connection_id(ngtcp2_conn *quic, ngtcp2_cid *cid, uint8_t *token, size_t cidlen,
                                void *user_data)
{
    struct conn *c = user_data;

    (void)quic;
    cid->datalen = cidlen;
    random_bytes(cid->data, cidlen);
    if (ngtcp2_crypto_generate_stateless_reset_token(token, c->node->reset_secret,
                                                     sizeof(c->node->reset_secret), cid) != 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    /* a client's packets come on sockets of their own */
    return c->server && cid_add(c->node, cid, c) < 0 ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_remove_connection_id(ngtcp2_conn *quic, const ngtcp2_cid *cid, void *user_data)
{
    struct conn *c = user_data;

    (void)quic;
    if (c->server)
        cid_remove(c->node, cid);
    return 0;
}

static int on_handshake_completed(ngtcp2_conn *quic, void *user_data)
{
    struct conn *c = user_data;

    (void)quic;
    if (c->server)
        c->confirmed = true; /* RFC 9001 §4.1.2: for a server it is the same */
    else
        c->node->hooks->opened(c);
    c->dirty = true;
    return 0;
}

static int on_handshake_confirmed(ngtcp2_conn *quic, void *user_data)
{
    struct conn *c = user_data;

    (void)quic;
    c->confirmed = true;
    c->dirty = true;
    return 0;
}

static int on_stream_data(ngtcp2_conn *quic, uint32_t flags, int64_t stream_id, uint64_t offset,
                          const uint8_t *data, size_t len, void *user_data, void *stream_data)
{
    struct conn *c = user_data;

    (void)offset;
    (void)stream_data;
    if (c->stream < 0)
        c->stream = stream_id;
    if (stream_id != c->stream || flags & NGTCP2_STREAM_DATA_FLAG_FIN ||
        c->node->hooks->received(c, data, len) < 0)
        c->failed = true;
    ngtcp2_conn_extend_max_stream_offset(quic, stream_id, len);
    ngtcp2_conn_extend_max_offset(quic, len);
    return 0;
}

static int on_stream_acked(ngtcp2_conn *quic, int64_t stream_id, uint64_t offset, uint64_t len,
                           void *user_data, void *stream_data)
{
    struct conn *c = user_data;

    (void)quic;
    (void)stream_data;
    if (stream_id == c->stream) {
        frames_acked(c, offset + len);
        unacked_acked(&c->unacked, offset + len);
    }
    return 0;
}

static int on_stream_close(ngtcp2_conn *quic, uint32_t flags, int64_t stream_id, uint64_t code,
                           void *user_data, void *stream_data)
{
    struct conn *c = user_data;

    (void)quic;
    (void)flags;
    (void)code;
    (void)stream_data;
    if (stream_id == c->stream)
        c->failed = true;
    return 0;
}

static int on_path_validation(QUIC_PATH_VALIDATION_PARAMETERS)
{
    struct conn *c = user_data;

    (void)quic;
    (void)flags;
    if (result == NGTCP2_PATH_VALIDATION_RESULT_FAILURE)
        c->push.validation_failed = true;
    c->node->hooks->validated(c, path, result == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS);
    return 0;
}

void callbacks_fill(ngtcp2_callbacks *callbacks, bool server)
{
    *callbacks = (ngtcp2_callbacks){
        .recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
        .encrypt = ngtcp2_crypto_encrypt_cb,
        .decrypt = ngtcp2_crypto_decrypt_cb,
        .hp_mask = ngtcp2_crypto_hp_mask_cb,
        .update_key = ngtcp2_crypto_update_key_cb,
        .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
        .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
        .get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
        .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
        .rand = on_rand,
        .get_new_connection_id = on_new_connection_id,
        .remove_connection_id = on_remove_connection_id,
        .handshake_completed = on_handshake_completed,
        .handshake_confirmed = on_handshake_confirmed,
        .recv_stream_data = on_stream_data,
        .acked_stream_data_offset = on_stream_acked,
        .stream_close = on_stream_close,
        .path_validation = on_path_validation,
    };
    if (server) {
        callbacks->recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    } else {
        callbacks->client_initial = ngtcp2_crypto_client_initial_cb;
        callbacks->recv_retry = ngtcp2_crypto_recv_retry_cb;
    }
}
