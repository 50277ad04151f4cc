/* hear: reads 16-bit samples at 8 kHz from standard input and prints the keys that spandsp hears
 * in them. */
#include <stdint.h>
#include <stdio.h>
#include <spandsp.h>

int main(void)
{
    int16_t samples[160];
    char digits[129];
    dtmf_rx_state_t *keys = dtmf_rx_init(NULL, NULL, NULL);
    size_t count;

    if (keys == NULL)
        return 2;
    while ((count = fread(samples, sizeof samples[0], 160, stdin)) > 0) {
        dtmf_rx(keys, samples, (int)count);
        if (dtmf_rx_get(keys, digits, 128) > 0)
            fputs(digits, stdout);
    }
    putchar('\n');
    dtmf_rx_free(keys);
    return 0;
}
