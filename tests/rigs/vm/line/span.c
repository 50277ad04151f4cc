/* span create|destroy ADDRESS CHANNELS: one looped span, as dahdi_cfg makes it from a line
 * "dynamic=loc,ADDRESS,CHANNELS,0". Destroying one is what unplugging a card is. */
#include <dahdi/user.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int main(int count, char **words) {
    struct dahdi_dynamic_span span = {.driver = "loc"};
    if (count != 4) {
        fprintf(stderr, "usage: span create|destroy ADDRESS CHANNELS\n");
        return 1;
    }
    snprintf(span.addr, sizeof span.addr, "%s", words[2]);
    span.numchans = atoi(words[3]);
    int control = open("/dev/dahdi/ctl", O_RDWR | O_CLOEXEC);
    unsigned long order = strcmp(words[1], "create") ? DAHDI_DYNAMIC_DESTROY : DAHDI_DYNAMIC_CREATE;
    if (control < 0 || ioctl(control, order, &span) < 0) {
        fprintf(stderr, "span: %s %s: %s\n", words[1], words[2], strerror(errno));
        return 1;
    }
    return 0;
}
