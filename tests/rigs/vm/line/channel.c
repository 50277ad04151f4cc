#include "channel.h"

#include <dahdi/user.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void failed(int number, const char *doing) {
    fprintf(stderr, "line: channel %d: %s: %s\n", number, doing, strerror(errno));
    exit(1);
}

void channel_tell(const struct channel *channel, const char *what, const char *detail) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("{\"at_ms\":%lld,\"channel\":%d,\"%s\":\"%s\"}\n",
           (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000, channel->number, what, detail);
    fflush(stdout);
}

/* So far ahead that an emulated machine may pause; what is written later follows what is read, block
 * for block. */
static void get_ahead(const struct channel *channel) {
    int16_t silence[BLOCK] = {0};
    for (int i = 0; i < AHEAD; i++)
        if (write(channel->fd, silence, sizeof silence) < 0 && errno != ELAST && errno != EAGAIN)
            failed(channel->number, "write");
}

struct channel channel_open(const char *folder, int number) {
    struct channel channel = {.number = number};
    char path[256];
    snprintf(path, sizeof path, "%s/channel", folder);
    channel.fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (channel.fd < 0) failed(number, path);
    if (ioctl(channel.fd, DAHDI_SPECIFY, &number)) failed(number, "DAHDI_SPECIFY");
    struct dahdi_bufferinfo buffers = {
        .txbufpolicy = DAHDI_POLICY_IMMEDIATE, .rxbufpolicy = DAHDI_POLICY_IMMEDIATE,
        .numbufs = 32, .bufsize = BLOCK, .readbufs = -1, .writebufs = -1};
    if (ioctl(channel.fd, DAHDI_SET_BUFINFO, &buffers)) failed(number, "DAHDI_SET_BUFINFO");
    /* Only a channel without signalling has to be told that it carries sound. */
    int audio = 1, linear = 1;
    if (ioctl(channel.fd, DAHDI_AUDIOMODE, &audio) && errno != EINVAL)
        failed(number, "DAHDI_AUDIOMODE");
    if (ioctl(channel.fd, DAHDI_SETLINEAR, &linear)) failed(number, "DAHDI_SETLINEAR");
    struct dahdi_params params = {0};
    if (ioctl(channel.fd, DAHDI_GET_PARAMS, &params)) failed(number, "DAHDI_GET_PARAMS");
    channel.exchange = (params.sigtype & __DAHDI_SIG_FXO) != 0;
    get_ahead(&channel);
    return channel;
}

static const char *event_name(const struct channel *channel, int event) {
    switch (event) {
        case DAHDI_EVENT_ONHOOK: return "onhook";
        case DAHDI_EVENT_RINGOFFHOOK: return channel->exchange ? "offhook" : "ring";
        case DAHDI_EVENT_WINKFLASH: return "winkflash";
        case DAHDI_EVENT_ALARM: return "alarm";
        case DAHDI_EVENT_NOALARM: return "noalarm";
        case DAHDI_EVENT_DIALCOMPLETE: return "dialcomplete";
        case DAHDI_EVENT_RINGERON: return "ringeron";
        case DAHDI_EVENT_RINGEROFF: return "ringeroff";
        case DAHDI_EVENT_HOOKCOMPLETE: return "hookcomplete";
        case DAHDI_EVENT_POLARITY: return "polarity";
        case DAHDI_EVENT_RINGBEGIN: return "ringbegin";
        case DAHDI_EVENT_REMOVED: return "removed";
        default: return "other";
    }
}

static void happened(struct channel *channel, const char *name) {
    channel_tell(channel, "event", name);
    if (channel->events_count < EVENTS_MAX) channel->events[channel->events_count++] = name;
}

static void lost(struct channel *channel) {
    if (!channel->gone) happened(channel, "gone");
    channel->gone = true;
}

static void drain_events(struct channel *channel) {
    for (int i = 0; i < DAHDI_MAX_EVENTSIZE; i++) {
        int event = DAHDI_EVENT_NONE;
        if (ioctl(channel->fd, DAHDI_GETEVENT, &event)) {
            if (errno != EINTR) lost(channel);
            return;
        }
        if (event == DAHDI_EVENT_NONE) return;
        happened(channel, event_name(channel, event));
        if (event == DAHDI_EVENT_DIALCOMPLETE && channel->dialling) {
            channel->dialling = false;
            get_ahead(channel);
        }
    }
}

static void heard(struct channel *channel, const int16_t *samples, int count) {
    recorder_write(&channel->recorder, samples, count);
    if (channel->ear_hz > 0) {
        bool there = tone_share(samples, count, channel->ear_hz) > 0.4;
        channel->ear_blocks = there ? channel->ear_blocks + 1 : 0;
    }
}

static void say(struct channel *channel, int count) {
    int16_t samples[BLOCK * 2];
    if (channel->dialling) return;
    for (int i = 0; i < count; i++) {
        struct source *source = source_over(&channel->now) ? &channel->background : &channel->now;
        samples[i] = source_next(source);
    }
    ssize_t wrote = write(channel->fd, samples, (size_t)count * 2);
    if (wrote < 0 && errno != EAGAIN && errno != ELAST && errno != EINTR) lost(channel);
}

static void serve_sound(struct channel *channel) {
    int16_t samples[BLOCK];
    for (;;) {
        ssize_t got = read(channel->fd, samples, sizeof samples);
        if (got < 0 && (errno == EAGAIN || errno == ELAST || errno == EINTR)) return;
        if (got <= 0) return lost(channel);
        heard(channel, samples, (int)got / 2);
        say(channel, (int)got / 2);
    }
}

void channel_turn(struct channel *channel) {
    struct pollfd entry = {.fd = channel->fd, .events = POLLIN | POLLPRI};
    if (channel->gone) {
        poll(NULL, 0, 20);
        return;
    }
    if (poll(&entry, 1, 20) <= 0) return;
    if (entry.revents & POLLPRI) drain_events(channel);
    if (entry.revents & POLLIN) serve_sound(channel);
    if (entry.revents & (POLLERR | POLLHUP | POLLNVAL)) lost(channel);
}

void channel_hook(struct channel *channel, int state, const char *name) {
    channel_tell(channel, "does", name);
    if (ioctl(channel->fd, DAHDI_HOOK, &state) && errno != EINPROGRESS) failed(channel->number, name);
}

void channel_dial(struct channel *channel, const char *digits) {
    struct dahdi_dialoperation dial = {.op = DAHDI_DIAL_OP_REPLACE};
    snprintf(dial.dialstr, sizeof dial.dialstr, "T%s", digits);
    channel_tell(channel, "dials", digits);
    channel->dialling = true;
    if (ioctl(channel->fd, DAHDI_DIAL, &dial)) failed(channel->number, "DAHDI_DIAL");
}

bool channel_had(struct channel *channel, const char *event) {
    for (int i = 0; i < channel->events_count; i++) {
        if (strcmp(channel->events[i], event)) continue;
        /* What came before it is of the past. */
        int rest = channel->events_count - i - 1;
        memmove(channel->events, channel->events + i + 1, (size_t)rest * sizeof *channel->events);
        channel->events_count = rest;
        return true;
    }
    return false;
}

void channel_close(struct channel *channel) {
    recorder_close(&channel->recorder);
    source_close(&channel->now);
    source_close(&channel->background);
    close(channel->fd);
}
