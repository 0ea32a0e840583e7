/* Sec-WebSocket-Accept (RFC 6455 section 4.2.2) with the SHA-1 of RFC 3174 that it needs. */
#ifndef GROUNDSWELL_ACCEPT_KEY_H
#define GROUNDSWELL_ACCEPT_KEY_H

#include <stdint.h>
#include <string.h>

#define KEY_LENGTH 24
#define ACCEPT_LENGTH 28

static inline uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static inline void sha1_block(uint32_t h[5], const uint8_t block[64])
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20)
            f = (b & c) | (~b & d), k = 0x5A827999;
        else if (i < 40)
            f = b ^ c ^ d, k = 0x6ED9EBA1;
        else if (i < 60)
            f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
        else
            f = b ^ c ^ d, k = 0xCA62C1D6;
        uint32_t t = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* Writes the 28 characters that answer the 24 of Sec-WebSocket-Key, and a zero byte. */
static inline void accept_key(const char key[KEY_LENGTH], char out[ACCEPT_LENGTH + 1])
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    const size_t length = KEY_LENGTH + sizeof magic - 1; /* 60: with its padding, two blocks */
    uint8_t message[128] = {0}, digest[21] = {0};
    memcpy(message, key, KEY_LENGTH);
    memcpy(message + KEY_LENGTH, magic, sizeof magic - 1);
    message[length] = 0x80;
    message[126] = (uint8_t)(length * 8 >> 8);
    message[127] = (uint8_t)(length * 8);
    sha1_block(h, message);
    sha1_block(h, message + 64);
    for (int i = 0; i < 20; i++)
        digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
    for (int i = 0; i < 7; i++) { /* 21 bytes, the last of them padding, are 28 characters */
        uint32_t three = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 |
                         digest[3 * i + 2];
        for (int j = 0; j < 4; j++)
            out[4 * i + j] = base64[three >> (18 - 6 * j) & 63];
    }
    out[ACCEPT_LENGTH - 1] = '=';
    out[ACCEPT_LENGTH] = '\0';
}

#endif
