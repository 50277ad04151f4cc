// What is being listened to live, whatever view is shown.

import type { JSX } from "preact";
import { listening, setListenLegs, stopListening, listen } from "../audio/listen";
import { useStore } from "../store";
import { t } from "../texts";
import { Icon } from "../ui/icons";
import { Button, Foreign } from "../ui/parts";
import { LegSlider } from "./legs";

export function ListenDock(): JSX.Element | null {
  const state = useStore(listening);
  if (!state) return null;
  const bad = ["lost", "refused"].includes(state.phase);
  return (
    <section class="dock" aria-label={t.listen.label}>
      <Icon name="ears" />
      <div class="dock-words" role="status">
        <strong>
          <Foreign text={state.line} />
        </strong>
        <span class={bad ? "bad-text" : "quiet"}>
          {state.message ?? t.listen.phases[state.phase]}
          {state.notice && ` · ${t.listen.notice}`}
        </span>
      </div>
      {state.delay_ms !== null && (
        <span class="dock-delay" title={t.listen.delayTip}>
          {t.listen.delay(state.delay_ms)}
        </span>
      )}
      <div class="dock-legs">
        {([0, 1] as const).map((leg) => (
          <LegSlider
            key={leg}
            leg={leg}
            volume={state.volumes[leg]}
            mute={state.mute[leg]}
            onVolume={(volume) => {
              const volumes: [number, number] = [...state.volumes];
              volumes[leg] = volume;
              setListenLegs({ volumes });
            }}
            onMute={() => {
              const mute: [boolean, boolean] = [...state.mute];
              mute[leg] = !mute[leg];
              setListenLegs({ mute });
            }}
          />
        ))}
      </div>
      {["refused", "ended"].includes(state.phase) && (
        <Button icon="refresh" label={t.listen.again} onClick={() => listen(state.line)} />
      )}
      <Button icon="close" label={t.listen.stop} bare onClick={stopListening} />
    </section>
  );
}
