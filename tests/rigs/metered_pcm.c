/*
 * A sound card that keeps books: an ALSA PCM that runs by the monotonic clock and writes what it
 * is given into a file, each sample at the place of the moment at which it is heard. Capture is
 * silence. It needs no server and next to no computing time, so many lines of it measure the
 * program that plays, not the rig.
 *
 *   cc -shared -fPIC -O2 -o metered_pcm.so metered_pcm.c -lasound
 *
 *   pcm_type.metered { lib "/path/metered_pcm.so" }
 *   pcm.line0 { type metered file "/path/line0.heard" }
 *
 * The file, native byte order: the number of starts (64 bits), and for up to 1023 starts the
 * monotonic time in nanoseconds and the sample that was heard then (64 bits each); at byte 16384
 * the samples (16 bits, mono). It is sparse and grows with what is played.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>

enum { HEADER = 16384, STARTS_MAX = 1023, SECONDS_MAX = 600, RATE = 8000 };
enum { SAMPLES_MAX = SECONDS_MAX * RATE };

struct heard {
    uint64_t starts;
    struct {
        uint64_t at_ns, sample;
    } start[STARTS_MAX];
};

struct metered {
    snd_pcm_ioplug_t io;
    struct heard *heard;
    int16_t *samples;
    uint64_t started_ns;
    /* Of the whole file: where the present start began, and frames taken since. */
    uint64_t base, taken;
    int running;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t elapsed(const struct metered *this)
{
    return this->running ? (now_ns() - this->started_ns) * RATE / 1000000000u : 0;
}

static int on_start(snd_pcm_ioplug_t *io)
{
    struct metered *this = io->private_data;
    uint64_t period_ns = (uint64_t)io->period_size * 1000000000u / RATE;
    struct itimerspec every = {
        {(time_t)(period_ns / 1000000000u), (long)(period_ns % 1000000000u)},
        {(time_t)(period_ns / 1000000000u), (long)(period_ns % 1000000000u)},
    };
    this->started_ns = now_ns();
    this->running = 1;
    if (this->heard != NULL && this->heard->starts < STARTS_MAX) {
        uint64_t index = this->heard->starts;
        this->heard->start[index].at_ns = this->started_ns;
        this->heard->start[index].sample = this->base;
        this->heard->starts = index + 1;
    }
    return timerfd_settime(io->poll_fd, 0, &every, NULL) == 0 ? 0 : -errno;
}

static int on_stop(snd_pcm_ioplug_t *io)
{
    struct metered *this = io->private_data;
    struct itimerspec never = {{0, 0}, {0, 0}};
    uint64_t heard = elapsed(this);
    /* What was not heard yet never is. */
    this->base += heard < this->taken ? heard : this->taken;
    this->taken = 0;
    this->running = 0;
    return timerfd_settime(io->poll_fd, 0, &never, NULL) == 0 ? 0 : -errno;
}

static int on_prepare(snd_pcm_ioplug_t *io)
{
    struct metered *this = io->private_data;
    if (this->running)
        return on_stop(io);
    this->taken = 0;
    return 0;
}

static snd_pcm_sframes_t on_pointer(snd_pcm_ioplug_t *io)
{
    struct metered *this = io->private_data;
    uint64_t heard = elapsed(this);
    if (io->stream == SND_PCM_STREAM_PLAYBACK) {
        if (heard > this->taken)
            return -EPIPE;
    } else if (heard > this->taken + io->buffer_size) {
        return -EPIPE;
    }
    return (snd_pcm_sframes_t)(heard % io->buffer_size);
}

static snd_pcm_sframes_t on_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                     snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
    struct metered *this = io->private_data;
    char *at = (char *)areas->addr + (areas->first + areas->step * offset) / 8;
    uint64_t place = this->base + this->taken;
    if (io->stream == SND_PCM_STREAM_CAPTURE)
        memset(at, 0, size * sizeof(int16_t));
    else if (place + size <= SAMPLES_MAX)
        memcpy(this->samples + place, at, size * sizeof(int16_t));
    this->taken += size;
    return (snd_pcm_sframes_t)size;
}

static int on_poll(snd_pcm_ioplug_t *io, struct pollfd *fds, unsigned int count,
                   unsigned short *events)
{
    uint64_t periods;
    ssize_t got = 0;
    if (count > 0 && (fds[0].revents & POLLIN) != 0)
        got = read(io->poll_fd, &periods, sizeof periods);
    *events = got > 0 ? (io->stream == SND_PCM_STREAM_PLAYBACK ? POLLOUT : POLLIN) : 0;
    return 0;
}

static int on_delay(snd_pcm_ioplug_t *io, snd_pcm_sframes_t *delay)
{
    struct metered *this = io->private_data;
    *delay = (snd_pcm_sframes_t)this->taken - (snd_pcm_sframes_t)elapsed(this);
    return 0;
}

static int on_close(snd_pcm_ioplug_t *io)
{
    struct metered *this = io->private_data;
    if (this->heard != NULL)
        munmap(this->heard, HEADER + (size_t)SAMPLES_MAX * sizeof(int16_t));
    close(io->poll_fd);
    free(this);
    return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = on_start,
    .stop = on_stop,
    .pointer = on_pointer,
    .transfer = on_transfer,
    .close = on_close,
    .prepare = on_prepare,
    .poll_revents = on_poll,
    .delay = on_delay,
};

/* The books of playback; a file that is there is gone on with. */
static int open_books(struct metered *this, const char *name)
{
    size_t bytes = HEADER + (size_t)SAMPLES_MAX * sizeof(int16_t);
    int file = open(name, O_RDWR | O_CREAT, 0600);
    if (file < 0)
        return -errno;
    if (ftruncate(file, (off_t)bytes) != 0) {
        close(file);
        return -errno;
    }
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED)
        return -errno;
    this->heard = map;
    this->samples = (int16_t *)((char *)map + HEADER);
    return 0;
}

static int constrain(snd_pcm_ioplug_t *io)
{
    static const unsigned int access[] = {SND_PCM_ACCESS_RW_INTERLEAVED};
    static const unsigned int format[] = {SND_PCM_FORMAT_S16_LE};
    int rc = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 1, access);
    if (rc >= 0)
        rc = snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, format);
    if (rc >= 0)
        rc = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, 1, 1);
    if (rc >= 0)
        rc = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_RATE, RATE, RATE);
    if (rc >= 0)
        rc = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, 16384);
    if (rc >= 0)
        rc = snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 128, 65536);
    return rc;
}

SND_PCM_PLUGIN_DEFINE_FUNC(metered)
{
    const char *file = NULL;
    snd_config_iterator_t at, next;
    snd_config_for_each(at, next, conf)
    {
        snd_config_t *node = snd_config_iterator_entry(at);
        const char *id;
        if (snd_config_get_id(node, &id) >= 0 && strcmp(id, "file") == 0)
            snd_config_get_string(node, &file);
    }
    (void)root;
    if (file == NULL)
        return -EINVAL;
    struct metered *this = calloc(1, sizeof *this);
    if (this == NULL)
        return -ENOMEM;
    this->io.version = SND_PCM_IOPLUG_VERSION;
    this->io.name = "Metered PCM";
    this->io.mmap_rw = 0;
    this->io.callback = &callbacks;
    this->io.private_data = this;
    this->io.poll_events = POLLIN;
    this->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int rc = this->io.poll_fd < 0 ? -errno : 0;
    if (rc == 0 && stream == SND_PCM_STREAM_PLAYBACK)
        rc = open_books(this, file);
    if (rc == 0)
        rc = snd_pcm_ioplug_create(&this->io, name, stream, mode);
    if (rc < 0) {
        on_close(&this->io);
        return rc;
    }
    rc = constrain(&this->io);
    if (rc < 0) {
        snd_pcm_ioplug_delete(&this->io);
        return rc;
    }
    *pcmp = this->io.pcm;
    return 0;
}

SND_PCM_PLUGIN_SYMBOL(metered);
