/*
 * A telephony card's double, and the program that drives one the plain way.
 *
 *   card_channels card PATH CHANNELS     the card: a packet socket a channel. Every 20 ms, by the
 *                                        clock, each channel has a block of 160 frames to read, all
 *                                        at once as a span's are, and takes those written to it. It
 *                                        ends when the first channel is closed.
 *   card_channels loop PATH CHANNELS SECONDS
 *                                        the driver: poll over all channels; each that is ready is
 *                                        read, and a block is written to it. Prints one line of
 *                                        JSON: CPU seconds of the process and the blocks it moved.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_BYTES = 320, BLOCK_MS = 20, BLOCKS_A_SECOND = 1000 / BLOCK_MS };

static void die(const char *what)
{
    fprintf(stderr, "card_channels: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void address_of(const char *path, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address->sun_path, path);
}

static void more_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void card(const char *path, int channels)
{
    struct sockaddr_un address;
    address_of(path, &address);
    const int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, channels) != 0)
        die(path);
    int *fds = calloc((size_t)channels, sizeof *fds);
    if (fds == NULL)
        die("memory");
    for (int c = 0; c < channels; c++) {
        fds[c] = accept(listener, NULL, NULL);
        if (fds[c] < 0)
            die("accept");
    }
    uint8_t block[BLOCK_BYTES], taken[BLOCK_BYTES * 2];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(i * 7);
    struct timespec when;
    clock_gettime(CLOCK_MONOTONIC, &when);
    for (;;) {
        for (int c = 0; c < channels; c++) {
            while (recv(fds[c], taken, sizeof taken, MSG_DONTWAIT) > 0)
                ;
            const ssize_t sent = send(fds[c], block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN)
                exit(0);
        }
        when.tv_nsec += BLOCK_MS * 1000000L;
        if (when.tv_nsec >= 1000000000L) {
            when.tv_nsec -= 1000000000L;
            when.tv_sec++;
        }
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
            ;
    }
}

static double cpu_seconds(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        die("clock_gettime");
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void loop(const char *path, int channels, long seconds)
{
    struct sockaddr_un address;
    address_of(path, &address);
    struct pollfd *polled = calloc((size_t)channels, sizeof *polled);
    if (polled == NULL)
        die("memory");
    for (int c = 0; c < channels; c++) {
        polled[c].fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
        polled[c].events = POLLIN;
        if (polled[c].fd < 0)
            die("socket");
        while (connect(polled[c].fd, (struct sockaddr *)&address, sizeof address) != 0) {
            if (errno != EAGAIN)
                die("connect");
            usleep(1000);
        }
    }
    uint8_t heard[BLOCK_BYTES], played[BLOCK_BYTES];
    memset(played, 0, sizeof played);
    const long wanted = seconds * BLOCKS_A_SECOND * channels;
    long in = 0, out = 0;
    /* The first second is not counted: everything is started then. */
    const long first = (long)BLOCKS_A_SECOND * channels;
    double start = 0.0;
    while (in < wanted + first) {
        if (poll(polled, (nfds_t)channels, 1000) < 0 && errno != EINTR)
            die("poll");
        for (int c = 0; c < channels; c++) {
            if ((polled[c].revents & POLLIN) == 0)
                continue;
            const ssize_t got = read(polled[c].fd, heard, sizeof heard);
            if (got <= 0)
                die("read");
            if (in++ == first)
                start = cpu_seconds();
            if (write(polled[c].fd, played, sizeof played) == BLOCK_BYTES && in > first)
                out++;
        }
    }
    printf("{\"cpu_s\":%.6f,\"blocks_in\":%ld,\"blocks_out\":%ld}\n", cpu_seconds() - start,
           in - first, out);
}

int main(int argc, char **argv)
{
    if (argc < 4 || atoi(argv[3]) < 1) {
        fprintf(stderr, "usage: card_channels card|loop PATH CHANNELS [SECONDS]\n");
        return 2;
    }
    more_files();
    if (strcmp(argv[1], "card") == 0)
        card(argv[2], atoi(argv[3]));
    else if (argc == 5 && strcmp(argv[1], "loop") == 0)
        loop(argv[2], atoi(argv[3]), atol(argv[4]));
    return 0;
}
