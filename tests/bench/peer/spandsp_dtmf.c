/*
 * The DTMF detector's peer: spandsp's dtmf_rx as exchanges use it, in frames of 20 ms.
 *
 *   spandsp_dtmf hear FILE [dialtone]        what it hears in each piece of FILE
 *   spandsp_dtmf time FILE TURNS [dialtone]  the CPU it takes to hear FILE, TURNS times
 *
 * FILE holds pieces, one after the other: the count of samples (32 bits, little endian) and as many
 * 16-bit samples of 8 kHz. Each piece is heard by a fresh detector. "hear" prints a line of digits
 * a piece; "time" prints one line of JSON. "dialtone" switches spandsp's own dial-tone filter on,
 * which is off by default.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <spandsp.h>

enum { FRAME = 160, DIGITS_MAX = 128 };

static uint8_t *bytes;
static size_t length;

static void die(const char *what)
{
    fprintf(stderr, "spandsp_dtmf: %s\n", what);
    exit(1);
}

static void load(const char *name)
{
    FILE *file = fopen(name, "rb");
    long end;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (end = ftell(file)) < 0)
        die("cannot read the file");
    rewind(file);
    length = (size_t)end;
    bytes = malloc(length + 1);
    if (bytes == NULL || fread(bytes, 1, length, file) != length)
        die("cannot read the file");
    fclose(file);
}

/* Hears a piece; prints its digits where asked to, and returns how many there were. */
static size_t hear(int16_t *samples, size_t count, int dialtone, int print)
{
    size_t digits = 0;
    char heard[DIGITS_MAX + 1];
    dtmf_rx_state_t *rx = dtmf_rx_init(NULL, NULL, NULL);
    if (rx == NULL)
        die("no detector");
    /* Negative values leave spandsp's defaults: 8 and 4 dB of twist, -42 dBm0. */
    dtmf_rx_parms(rx, dialtone, -1, -1, -100);
    for (size_t at = 0; at < count; at += FRAME) {
        size_t got;
        size_t frame = count - at < FRAME ? count - at : FRAME;
        dtmf_rx(rx, samples + at, (int)frame);
        while ((got = dtmf_rx_get(rx, heard, DIGITS_MAX)) > 0) {
            digits += got;
            if (print)
                fwrite(heard, 1, got, stdout);
        }
    }
    dtmf_rx_free(rx);
    if (print)
        putchar('\n');
    return digits;
}

static size_t hear_all(int dialtone, int print)
{
    size_t digits = 0;
    for (size_t at = 0; at + 4 <= length;) {
        uint32_t count;
        memcpy(&count, bytes + at, 4);
        at += 4;
        if (count > (length - at) / 2)
            die("the file ends inside a piece");
        digits += hear((int16_t *)(bytes + at), count, dialtone, print);
        at += 2 * (size_t)count;
    }
    return digits;
}

static double cpu_seconds(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        die("clock_gettime");
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

int main(int count, char **words)
{
    int timed = count >= 4 && strcmp(words[1], "time") == 0;
    int dialtone = strcmp(words[count - 1], "dialtone") == 0;
    if (!timed && (count < 3 || strcmp(words[1], "hear") != 0))
        die("usage: hear FILE [dialtone] | time FILE TURNS [dialtone]");
    load(words[2]);
    if (!timed) {
        hear_all(dialtone, 1);
        return 0;
    }
    size_t digits = 0;
    double before = cpu_seconds();
    for (long turn = strtol(words[3], NULL, 10); turn > 0; turn--)
        digits += hear_all(dialtone, 0);
    printf("{\"cpu_s\": %.9f, \"digits\": %zu}\n", cpu_seconds() - before, digits);
    return 0;
}
