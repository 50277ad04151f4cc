/* A DAHDI channel as the far end of a call uses it: events, hook, and sound both ways in lock-step. */
#ifndef CHANNEL_H
#define CHANNEL_H
#include "sound.h"

/* AHEAD: blocks that wait in the driver. */
enum { EVENTS_MAX = 256, AHEAD = 10 };

struct channel {
    int fd, number;
    bool exchange; /* FXO-signalled: this end is the exchange of a telephone */
    bool gone;     /* the driver took it away */
    bool dialling; /* what is written meanwhile would end the driver's tones */
    struct source now, background;
    struct recorder recorder;
    const char *events[EVENTS_MAX]; /* that came and nobody waited for yet */
    int events_count;
    double ear_hz;  /* what is listened for, 0 for nothing */
    int ear_blocks; /* how many blocks in a row had it */
};

/* Opens a channel by its number; ends the program with a message when it cannot. */
struct channel channel_open(const char *folder, int number);
/* Waits up to 20 ms for sound or events and serves them. */
void channel_turn(struct channel *channel);
/* DAHDI_HOOK with one of the driver's states. */
void channel_hook(struct channel *channel, int state, const char *name);
/* Has the driver dial: 'T' and digits for tones. */
void channel_dial(struct channel *channel, const char *digits);
/* Whether this event came since the last one that was waited for. */
bool channel_had(struct channel *channel, const char *event);
/* Prints what happened as a line of JSON, with the wall clock's milliseconds. */
void channel_tell(const struct channel *channel, const char *what, const char *detail);
void channel_close(struct channel *channel);
#endif
