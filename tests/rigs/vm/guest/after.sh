#!/bin/bash
# after.sh OUT: whether the machine is as before a scenario: with the driver still loaded it is not.
[ ! -e /sys/module/dahdi ] && [ ! -e /sys/module/snd_aloop ]
