// One leg's volume and whether it is heard at all.

import type { JSX } from "preact";
import { t } from "../texts";
import { Button } from "../ui/parts";

interface LegProps {
  leg: 0 | 1;
  /** Another name than the leg's own. */
  name?: string;
  volume: number;
  mute: boolean;
  onVolume: (volume: number) => void;
  onMute: () => void;
  keys?: string;
}

export function LegSlider({
  leg,
  volume,
  mute,
  onVolume,
  onMute,
  keys,
  name = t.legs[leg],
}: LegProps): JSX.Element {
  return (
    <div class={`leg ${leg ? "callee" : "caller"} ${mute ? "off" : ""}`}>
      <Button
        icon={mute ? "mute" : "volume"}
        label={mute ? t.player.unmute(name) : t.player.mute(name)}
        bare
        kind="quiet"
        pressed={mute}
        {...(keys ? { keys } : {})}
        onClick={onMute}
      />
      <span class="leg-name">{name}</span>
      <input
        type="range"
        min={0}
        max={1.5}
        step={0.05}
        value={volume}
        aria-label={t.player.volume(name)}
        aria-valuetext={`${Math.round(volume * 100)} %`}
        onInput={(event) => onVolume(Number(event.currentTarget.value))}
      />
    </div>
  );
}
