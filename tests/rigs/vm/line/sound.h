/* Sound of the far end: WAV files in and out, tones, and an ear for one tone. Mono, 16 bits, 8 kHz. */
#ifndef SOUND_H
#define SOUND_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { RATE = 8000, BLOCK = 160 };

/* Where samples come from: a file that was read whole, or one or two sines. */
struct source {
    int16_t *samples;
    long length, place; /* of a file; of a tone length is how long it lasts, -1 for ever */
    double first_hz, second_hz, amplitude;
};

/* Reads a WAV file; ends the program with a message when it cannot. */
struct source source_of_file(const char *path);
struct source source_of_tone(double first_hz, double second_hz, double dbfs, long samples);
/* The next sample; silence past the end. */
int16_t source_next(struct source *source);
bool source_over(const struct source *source);
void source_close(struct source *source);

/* A WAV file that grows; its header is true after recorder_close. */
struct recorder {
    FILE *file;
    uint32_t samples;
};
struct recorder recorder_open(const char *path);
void recorder_write(struct recorder *recorder, const int16_t *samples, int count);
void recorder_close(struct recorder *recorder);

/* How much of a block's power lies at this frequency: 0 to 1; 0 below -45 dBFS. */
double tone_share(const int16_t *samples, int count, double hz);
#endif
