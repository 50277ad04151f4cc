/*
 * The caller id receiver's peer: spandsp's adsi_rx, in frames of 20 ms.
 *
 *   spandsp_adsi FILE bell|v23   what it hears in each piece of FILE
 *   spandsp_adsi send bell|v23   the sound of a message about 5550123, "A NAME", as samples
 *
 * FILE holds pieces, one after the other: the count of samples (32 bits, little endian) and as many
 * 16-bit samples of 8 kHz. Each is heard by a fresh receiver. Prints a line a piece: the messages
 * whose checksum is right, in hexadecimal.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spandsp.h>

enum { FRAME = 160 };

static void die(const char *what)
{
    fprintf(stderr, "spandsp_adsi: %s\n", what);
    exit(1);
}

static void heard(void *user, const uint8_t *message, int length)
{
    (void)user;
    for (int at = 0; at < length; at++)
        printf("%02x", message[at]);
    putchar(' ');
}

static void send(int standard)
{
    static const struct { uint8_t kind; const char *text; } fields[] = {
        { MCLASS_DATETIME, "11301159" },
        { MCLASS_CALLER_NUMBER, "5550123" },
        { MCLASS_CALLER_NAME, "A NAME" },
    };
    uint8_t message[256];
    int16_t samples[FRAME];
    int made;
    adsi_tx_state_t *tx = adsi_tx_init(NULL, standard);
    if (tx == NULL)
        die("no sender");
    int length = adsi_add_field(tx, message, -1, CLASS_MDMF_CALLERID, NULL, 0);
    for (size_t at = 0; at < sizeof fields / sizeof *fields; at++)
        length = adsi_add_field(tx, message, length, fields[at].kind,
                                (const uint8_t *)fields[at].text, (int)strlen(fields[at].text));
    adsi_tx_put_message(tx, message, length);
    while ((made = adsi_tx(tx, samples, FRAME)) > 0)
        fwrite(samples, 2, (size_t)made, stdout);
    adsi_tx_free(tx);
}

int main(int count, char **words)
{
    uint32_t length;
    if (count != 3)
        die("usage: FILE bell|v23");
    int standard = strcmp(words[2], "v23") == 0 ? ADSI_STANDARD_CLIP : ADSI_STANDARD_CLASS;
    if (strcmp(words[1], "send") == 0) {
        send(standard);
        return 0;
    }
    FILE *file = fopen(words[1], "rb");
    if (file == NULL)
        die("cannot read the file");
    while (fread(&length, 4, 1, file) == 1) {
        int16_t *samples = calloc((size_t)length + FRAME, 2);
        adsi_rx_state_t *rx = adsi_rx_init(NULL, standard, heard, NULL);
        if (samples == NULL || rx == NULL || fread(samples, 2, length, file) != length)
            die("the file ends inside a piece");
        for (uint32_t at = 0; at < length; at += FRAME)
            adsi_rx(rx, samples + at, FRAME);
        adsi_rx_free(rx);
        free(samples);
        putchar('\n');
    }
    fclose(file);
    return 0;
}
