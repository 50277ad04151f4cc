// What the keyboard does.

import type { JSX } from "preact";
import { t } from "../texts";
import { Dialog } from "./parts";

export function Help({ onClose }: { onClose: () => void }): JSX.Element {
  return (
    <Dialog title={t.help.title} onClose={onClose} wide>
      <div class="help">
        {t.help.groups.map((group) => (
          <section key={group.name}>
            <h3>{group.name}</h3>
            <dl>
              {group.keys.map(([keys, what]) => (
                <div key={keys}>
                  <dt>
                    {keys.split(" ").map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
