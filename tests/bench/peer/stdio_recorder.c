/*
 * The recorder's peer: how telephone exchanges usually record. Each channel has a FILE with one
 * 32 KiB stdio buffer, and each 20 ms frame is written to it with fwrite. Nothing is synced, hashed
 * or indexed. One thread serves all channels, which is kinder than a thread a channel.
 *
 *   stdio_recorder DIR CHANNELS SECONDS
 *
 * Keeps real time. Prints one line of JSON: CPU seconds of the process from before the first file
 * was opened until the last frame was written, and until the last file was closed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { RATE = 8000, FRAME_BYTES = 320, FRAME_MS = 20, BUFFER_BYTES = 32 * 1024, HEADER_BYTES = 44 };

static void die(const char *what)
{
    fprintf(stderr, "stdio_recorder: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double cpu_seconds(void)
{
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) != 0)
        die("getrusage");
    return (double)use.ru_utime.tv_sec + (double)use.ru_stime.tv_sec +
           ((double)use.ru_utime.tv_usec + (double)use.ru_stime.tv_usec) / 1e6;
}

static void put_le(uint8_t *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* A canonical WAV header: PCM, one channel, 16 bit. */
static void write_header(FILE *file, uint32_t data_bytes)
{
    uint8_t head[HEADER_BYTES];
    memcpy(head, "RIFF", 4);
    put_le(head + 4, data_bytes + HEADER_BYTES - 8, 4);
    memcpy(head + 8, "WAVEfmt ", 8);
    put_le(head + 16, 16, 4);
    put_le(head + 20, 1, 2);
    put_le(head + 22, 1, 2);
    put_le(head + 24, RATE, 4);
    put_le(head + 28, RATE * 2, 4);
    put_le(head + 32, 2, 2);
    put_le(head + 34, 16, 2);
    memcpy(head + 36, "data", 4);
    put_le(head + 40, data_bytes, 4);
    if (fwrite(head, sizeof head, 1, file) != 1)
        die("write header");
}

static void wait_until(const struct timespec *when)
{
    int rc;
    do
        rc = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, when, NULL);
    while (rc == EINTR);
    if (rc != 0) {
        errno = rc;
        die("clock_nanosleep");
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: stdio_recorder DIR CHANNELS SECONDS\n");
        return 2;
    }
    const long channels = atol(argv[2]);
    const long frames = atol(argv[3]) * 1000 / FRAME_MS;
    if (channels < 1 || frames < 1) {
        fprintf(stderr, "stdio_recorder: CHANNELS and SECONDS are at least 1\n");
        return 2;
    }

    uint8_t sound[FRAME_BYTES * 64];
    uint32_t noise = 1;
    for (size_t i = 0; i < sizeof sound; i++) {
        noise = noise * 1664525u + 1013904223u;
        sound[i] = (uint8_t)(noise >> 24);
    }

    const double start = cpu_seconds();
    FILE **files = calloc((size_t)channels, sizeof *files);
    if (files == NULL)
        die("memory");
    for (long c = 0; c < channels; c++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%ld.wav", argv[1], c);
        files[c] = fopen(path, "wb");
        if (files[c] == NULL)
            die(path);
        if (setvbuf(files[c], NULL, _IOFBF, BUFFER_BYTES) != 0)
            die("setvbuf");
        write_header(files[c], 0);
    }

    struct timespec when;
    clock_gettime(CLOCK_MONOTONIC, &when);
    for (long f = 0; f < frames; f++) {
        for (long c = 0; c < channels; c++) {
            const uint8_t *frame = sound + (size_t)((f + c) % 64) * FRAME_BYTES;
            if (fwrite(frame, FRAME_BYTES, 1, files[c]) != 1)
                die("write");
        }
        when.tv_nsec += FRAME_MS * 1000000L;
        if (when.tv_nsec >= 1000000000L) {
            when.tv_nsec -= 1000000000L;
            when.tv_sec++;
        }
        wait_until(&when);
    }
    const double written = cpu_seconds() - start;

    for (long c = 0; c < channels; c++) {
        if (fseek(files[c], 0, SEEK_SET) != 0)
            die("seek");
        write_header(files[c], (uint32_t)(frames * FRAME_BYTES));
        if (fclose(files[c]) != 0)
            die("close");
    }
    const double closed = cpu_seconds() - start;
    free(files);
    printf("{\"cpu_written_s\":%.6f,\"cpu_closed_s\":%.6f,\"lost_frames\":0}\n", written, closed);
    return 0;
}
