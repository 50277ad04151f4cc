/* send DIGITS ON_MS OFF_MS: writes the keys as spandsp makes them to standard output: 16-bit
 * samples at 8 kHz, little endian, both tones at -10 dBm0. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <spandsp.h>

int main(int argc, char **argv)
{
    int16_t samples[160];
    dtmf_tx_state_t *keys;
    int count;

    if (argc != 4 || (keys = dtmf_tx_init(NULL)) == NULL)
        return 2;
    dtmf_tx_set_level(keys, -10, 0);
    dtmf_tx_set_timing(keys, atoi(argv[2]), atoi(argv[3]));
    if (dtmf_tx_put(keys, argv[1], -1) != 0)
        return 3;
    while ((count = dtmf_tx(keys, samples, 160)) > 0)
        if (fwrite(samples, sizeof samples[0], (size_t)count, stdout) != (size_t)count)
            return 4;
    dtmf_tx_free(keys);
    return 0;
}
