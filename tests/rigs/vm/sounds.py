#!/usr/bin/env python3
"""sounds.py FOLDER: the sounds that scenarios play, mono, 16 bits, 8 kHz.

melody.wav    four tones one after the other, with which a prompt is known again
tone.wav      440 Hz for five seconds
keys.wav      2468#, as a telephone sends keys, after half a silent second
caller-id.wav a number and a name as FSK (Bell 202, MDMF), written from the standard's tables
"""
import math
import os
import struct
import sys
import wave

RATE = 8000
MELODY = (500, 900, 1300, 1700)
LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")


def tone(hz, seconds, dbfs=-12.0):
    amplitude = 32767 * 10 ** (dbfs / 20)
    return [round(amplitude * math.sin(2 * math.pi * hz * i / RATE)) for i in range(int(seconds * RATE))]


def melody():
    samples = []
    for hz in MELODY:
        samples += tone(hz, 0.4)
    return samples


def keys(digits):
    """Each for 100 ms, 100 ms apart."""
    samples = []
    for digit in digits:
        row = next(row for row, text in enumerate(KEYS) if digit in text)
        pair = LOW[row], HIGH[KEYS[row].index(digit)]
        samples += [a + b for a, b in zip(*(tone(hz, 0.1) for hz in pair))] + [0] * (RATE // 10)
    return samples


def bits_of(byte):
    """A start bit, eight bits from the lowest, a stop bit."""
    return [0] + [byte >> i & 1 for i in range(8)] + [1]


def caller_id(number, name, dbfs=-15.0):
    """Channel seizure, mark, a message of date, number and name, its checksum; 1200 baud."""
    body = b"\x01\x0811301200"
    body += bytes([2, len(number)]) + number.encode()
    body += bytes([7, len(name)]) + name.encode()
    message = bytes([0x80, len(body)]) + body
    message += bytes([-sum(message) & 0xFF])
    bits = [0, 1] * 150 + [1] * 180
    for byte in message:
        bits += bits_of(byte)
    bits += [1] * 10
    amplitude = 32767 * 10 ** (dbfs / 20)
    samples, phase = [], 0.0
    for i in range(len(bits) * RATE // 1200):
        hz = 1200 if bits[i * 1200 // RATE] else 2200
        samples.append(round(amplitude * math.sin(phase)))
        phase += 2 * math.pi * hz / RATE
    return samples


def write(path, samples):
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "melody.wav"), melody())
    write(os.path.join(folder, "tone.wav"), tone(440, 5))
    write(os.path.join(folder, "keys.wav"), [0] * (RATE // 2) + keys("2468#") + [0] * RATE)
    write(os.path.join(folder, "caller-id.wav"), caller_id("5551234567", "ALICE"))


main()
