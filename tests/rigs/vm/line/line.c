/* line [-d FOLDER] CHANNEL 'STEP; STEP; ...': the far end of a call on a DAHDI channel. It owes
 * nothing to Callreel: what it hears and sees is evidence. Events and steps are printed as lines of
 * JSON. Exit code 0: all steps done; 1: cannot be done; 3: what was waited for did not come.
 *
 *   ring                 rings, by the driver's cadence, until onhook, offhook or the end
 *   offhook, onhook, flash, wink
 *   wait EVENT SECONDS   until the event came: offhook, onhook, ring, ringeroff, alarm, noalarm, gone ...
 *   hear HZ SECONDS      until this tone was heard for 60 ms
 *   mute HZ SECONDS      until this tone was not heard for 200 ms
 *   play FILE.wav        to its end
 *   tone HZ[+HZ] MS      to its end, -12 dBFS each
 *   busy MS              480+620 Hz, half a second on, half a second off
 *   hum HZ[+HZ], hush    that tone goes on in the background; it ends
 *   record FILE.wav      all that is heard from now on
 *   dial DIGITS          by the driver's tones, until it has
 *   sleep MS             sound goes on meanwhile
 *   hold                 until SIGTERM
 */
#include "channel.h"

#include <dahdi/user.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t told_to_end;

static void on_signal(int number) {
    (void)number;
    told_to_end = 1;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static _Noreturn void usage(const char *what) {
    fprintf(stderr, "line: %s\nusage: line [-d FOLDER] CHANNEL 'STEP; STEP; ...'\n", what);
    exit(1);
}

/* Reads "480+620" or "1000". */
static struct source tone(const char *text, long samples) {
    char *rest;
    double first = strtod(text, &rest), second = *rest == '+' ? strtod(rest + 1, NULL) : 0;
    if (first < 100 || first > 3900) usage(text);
    return source_of_tone(first, second, -12, samples);
}

static void rest(struct channel *channel, double length) {
    for (double end = seconds() + length; !told_to_end && seconds() < end;) channel_turn(channel);
}

/* Plays until the driver has it all on the wire. */
static void play(struct channel *channel, struct source source) {
    source_close(&channel->now);
    channel->now = source;
    while (!told_to_end && !channel->gone && !source_over(&channel->now)) channel_turn(channel);
    rest(channel, (double)AHEAD * BLOCK / RATE);
}

static void busy(struct channel *channel, double ms) {
    for (double end = seconds() + ms / 1000; !told_to_end && seconds() < end;) {
        play(channel, tone("480+620", RATE / 2));
        rest(channel, 0.5 - (double)AHEAD * BLOCK / RATE);
    }
}

/* Waits until the ear had its tone for 3 blocks, or had none for 10. */
static bool listen(struct channel *channel, double hz, double limit, bool wanted) {
    int quiet = 0;
    channel->ear_hz = hz;
    channel->ear_blocks = 0;
    for (double end = seconds() + limit; !told_to_end && seconds() < end;) {
        int before = channel->ear_blocks;
        channel_turn(channel);
        quiet = channel->ear_blocks > 0 || before > 0 ? 0 : quiet + 1;
        if (wanted ? channel->ear_blocks >= 3 : quiet >= 10) return true;
    }
    return false;
}

static bool wait_for(struct channel *channel, const char *event, double limit) {
    for (double end = seconds() + limit; !told_to_end && seconds() < end;) {
        if (channel_had(channel, event)) return true;
        channel_turn(channel);
    }
    return channel_had(channel, event);
}

static void expect(struct channel *channel, bool came, const char *what) {
    if (came) return;
    channel_tell(channel, told_to_end ? "interrupted" : "missed", what);
    channel_close(channel);
    exit(told_to_end ? 0 : 3);
}

/* Steps that wait for something. Returns whether this was one. */
static bool waiting_step(struct channel *channel, const char *name, const char *a, const char *b) {
    double limit = b ? atof(b) : 10;
    if (!strcmp(name, "wait")) expect(channel, wait_for(channel, a, limit), a);
    else if (!strcmp(name, "hear")) {
        expect(channel, listen(channel, atof(a), limit, true), a);
        channel_tell(channel, "heard", a);
    } else if (!strcmp(name, "mute")) expect(channel, listen(channel, atof(a), limit, false), a);
    else if (!strcmp(name, "dial")) {
        channel_dial(channel, a);
        expect(channel, wait_for(channel, "dialcomplete", 15), "dialcomplete");
    } else return false;
    return true;
}

/* Steps of sound and time. Returns whether this was one. */
static bool sound_step(struct channel *channel, const char *name, const char *a, const char *b) {
    if (!strcmp(name, "play")) play(channel, source_of_file(a));
    else if (!strcmp(name, "tone") && b) play(channel, tone(a, atol(b) * RATE / 1000));
    else if (!strcmp(name, "busy")) busy(channel, atof(a));
    else if (!strcmp(name, "hum")) channel->background = tone(a, -1);
    else if (!strcmp(name, "record")) channel->recorder = recorder_open(a);
    else if (!strcmp(name, "sleep")) rest(channel, atof(a) / 1000);
    else return false;
    return true;
}

static void bare_step(struct channel *channel, const char *name) {
    if (!strcmp(name, "ring")) channel_hook(channel, DAHDI_RING, name);
    else if (!strcmp(name, "offhook")) channel_hook(channel, DAHDI_OFFHOOK, name);
    else if (!strcmp(name, "onhook")) channel_hook(channel, DAHDI_ONHOOK, name);
    else if (!strcmp(name, "flash")) channel_hook(channel, DAHDI_FLASH, name);
    else if (!strcmp(name, "wink")) channel_hook(channel, DAHDI_WINK, name);
    else if (!strcmp(name, "hush")) source_close(&channel->background);
    else if (!strcmp(name, "hold")) {
        while (!told_to_end) channel_turn(channel);
    } else usage(name);
}

static void step(struct channel *channel, char *text) {
    char *place = NULL, *name = strtok_r(text, " \t\n", &place);
    if (!name) return;
    const char *a = strtok_r(NULL, " \t\n", &place), *b = strtok_r(NULL, " \t\n", &place);
    if (a && (waiting_step(channel, name, a, b) || sound_step(channel, name, a, b))) return;
    bare_step(channel, name);
}

int main(int count, char **words) {
    const char *folder = "/dev/dahdi";
    if (count > 2 && !strcmp(words[1], "-d")) folder = words[2], words += 2, count -= 2;
    if (count != 3 || atoi(words[1]) < 1) usage("which channel, and what to do there?");
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    struct channel channel = channel_open(folder, atoi(words[1]));
    char *place = NULL;
    for (char *text = strtok_r(words[2], ";", &place); text && !told_to_end;
         text = strtok_r(NULL, ";", &place))
        step(&channel, text);
    channel_tell(&channel, "done", told_to_end ? "told to end" : "all steps");
    channel_close(&channel);
    return 0;
}
