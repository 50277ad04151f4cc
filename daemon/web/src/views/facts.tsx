// What is known of a recording, and what proves it.

import type { ComponentChildren, JSX } from "preact";
import { bytes, count, decibels, length, moment, when } from "../format";
import { session } from "../api";
import { t } from "../texts";
import type { Detail } from "../types";
import { Foreign } from "../ui/parts";

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function Facts({ detail }: { detail: Detail }): JSX.Element {
  const f = t.facts;
  const { chain, hash } = detail;
  return (
    <div class="facts-page">
      <section>
        <h2 class="sub">{f.call}</h2>
        <dl class="facts">
          <Fact name={f.number}>{String(detail.recid)}</Fact>
          <Fact name={f.started}>{when(detail.started_at)}</Fact>
          <Fact name={f.length}>{length(detail.duration_ms)}</Fact>
          {detail.direction && <Fact name={f.direction}>{t.directions[detail.direction]}</Fact>}
          <Fact name={f.line}>{detail.line ? <Foreign text={detail.line} /> : "–"}</Fact>
          <Fact name={f.agent}>{detail.agent ? <Foreign text={detail.agent} /> : "–"}</Fact>
          <Fact name={f.tenant}>
            <Foreign text={detail.tenant} />
          </Fact>
          <Fact name={f.time}>{detail.time_quality ?? "–"}</Fact>
        </dl>
      </section>
      <section>
        <h2 class="sub">{f.sound}</h2>
        <dl class="facts">
          <Fact name={f.format}>
            {detail.container.toUpperCase()}, {count(detail.rate)} Hz,{" "}
            {detail.channels > 1 ? f.stereo : f.mono}
          </Fact>
          <Fact name={f.size}>{bytes(detail.size_bytes)}</Fact>
          {detail.legs.map((leg, index) => (
            <Fact key={leg.name} name={index === 1 ? t.legs[1] : t.legs[0]}>
              {f.levels(decibels(leg.rms_db), decibels(leg.peak_db))}
            </Fact>
          ))}
          {detail.gap_list.map((gap) => (
            <Fact key={gap.at_ms} name={t.player.gap}>
              {f.spanAt(moment(gap.at_ms / 1000), gap.ms / 1000)}
            </Fact>
          ))}
          {detail.masked_list.map((span) => (
            <Fact key={span.at_ms} name={t.player.maskedSpan}>
              {f.spanAt(moment(span.at_ms / 1000), span.ms / 1000)}
            </Fact>
          ))}
        </dl>
      </section>
      <section>
        <h2 class="sub">{f.proof}</h2>
        <dl class="facts">
          {hash && (
            <Fact name="BLAKE3">
              <code>{hash.blake3}</code>
            </Fact>
          )}
          {hash?.sha256 && (
            <Fact name="SHA-256">
              <code>{hash.sha256}</code>
            </Fact>
          )}
          {chain ? (
            <>
              <Fact name={f.entry}>{count(chain.seq)}</Fact>
              <Fact name={f.checkpoint}>
                {chain.checkpoint_seq === null
                  ? f.noCheckpoint
                  : f.signed(
                      count(chain.checkpoint_seq),
                      when(chain.checkpoint_at),
                      chain.key_id ?? "–",
                    )}
              </Fact>
            </>
          ) : (
            <Fact name={f.entry}>{f.noEntry}</Fact>
          )}
        </dl>
        {session.value?.can.audit && (
          <p>
            <a href={`#/audit?recording=${encodeURIComponent(detail.id)}`}>{f.audit}</a>
          </p>
        )}
      </section>
    </div>
  );
}
