#include "sound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void unusable(const char *path, const char *why) {
    fprintf(stderr, "line: %s: %s\n", path, why);
    exit(1);
}

static uint32_t le32(const unsigned char *bytes) {
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

struct source source_of_file(const char *path) {
    struct source source = {0};
    unsigned char head[12], chunk[8], format[16];
    FILE *file = fopen(path, "rb");
    bool known = false;
    if (!file || fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4)) unusable(path, "no WAV file");
    while (fread(chunk, 1, 8, file) == 8) {
        uint32_t size = le32(chunk + 4);
        if (!memcmp(chunk, "fmt ", 4) && size >= 16 && fread(format, 1, 16, file) == 16) {
            known = format[0] == 1 && format[2] == 1 && le32(format + 4) == RATE && format[14] == 16;
            size -= 16;
        } else if (!memcmp(chunk, "data", 4)) {
            if (!known) break;
            source.samples = malloc(size);
            if (!source.samples) unusable(path, "too large");
            source.length = (long)fread(source.samples, 2, size / 2, file);
            fclose(file);
            return source;
        }
        fseek(file, size + (size & 1), SEEK_CUR);
    }
    unusable(path, "not mono, 16 bits, 8 kHz");
}

struct source source_of_tone(double first_hz, double second_hz, double dbfs, long samples) {
    struct source source = {.length = samples, .first_hz = first_hz, .second_hz = second_hz};
    source.amplitude = 32767 * pow(10, dbfs / 20);
    return source;
}

int16_t source_next(struct source *source) {
    if (source_over(source)) return 0;
    long place = source->place++;
    if (source->samples) return source->samples[place];
    double sum = sin(2 * M_PI * source->first_hz * (double)place / RATE);
    if (source->second_hz > 0) sum += sin(2 * M_PI * source->second_hz * (double)place / RATE);
    return (int16_t)lrint(source->amplitude * sum);
}

bool source_over(const struct source *source) {
    if (!source->samples && source->amplitude == 0) return true;
    return source->length >= 0 && source->place >= source->length;
}

void source_close(struct source *source) {
    free(source->samples);
    memset(source, 0, sizeof *source);
}

static void write_header(FILE *file, uint32_t samples) {
    uint32_t bytes = samples * 2, riff = bytes + 36, sixteen = 16, rate = RATE, second = RATE * 2;
    uint16_t pcm = 1, mono = 1, frame = 2, bits = 16;
    fwrite("RIFF", 1, 4, file), fwrite(&riff, 4, 1, file), fwrite("WAVEfmt ", 1, 8, file);
    fwrite(&sixteen, 4, 1, file), fwrite(&pcm, 2, 1, file), fwrite(&mono, 2, 1, file);
    fwrite(&rate, 4, 1, file), fwrite(&second, 4, 1, file), fwrite(&frame, 2, 1, file);
    fwrite(&bits, 2, 1, file), fwrite("data", 1, 4, file), fwrite(&bytes, 4, 1, file);
}

struct recorder recorder_open(const char *path) {
    struct recorder recorder = {.file = fopen(path, "wb")};
    if (!recorder.file) unusable(path, "cannot be written");
    write_header(recorder.file, 0);
    return recorder;
}

void recorder_write(struct recorder *recorder, const int16_t *samples, int count) {
    if (!recorder->file) return;
    recorder->samples += (uint32_t)fwrite(samples, 2, (size_t)count, recorder->file);
}

void recorder_close(struct recorder *recorder) {
    if (!recorder->file) return;
    rewind(recorder->file);
    write_header(recorder->file, recorder->samples);
    fclose(recorder->file);
    recorder->file = NULL;
}

double tone_share(const int16_t *samples, int count, double hz) {
    double real = 0, imaginary = 0, power = 0;
    for (int i = 0; i < count; i++) {
        double turn = 2 * M_PI * hz * i / RATE;
        real += samples[i] * cos(turn);
        imaginary += samples[i] * sin(turn);
        power += (double)samples[i] * samples[i];
    }
    if (power / count < 184.0 * 184.0) return 0; /* -45 dBFS */
    return 2 * (real * real + imaginary * imaginary) / (count * power);
}
