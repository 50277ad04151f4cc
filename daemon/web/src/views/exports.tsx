// Exports that were begun, and their archives.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { words } from "../api";
import { cancel, exportFile, findJobs, jobs } from "../exports";
import { bytes, when } from "../format";
import { useStore } from "../store";
import { t } from "../texts";
import type { ExportJob } from "../types";
import { Icon } from "../ui/icons";
import { Badge, Button, Empty, Loading, Progress, say } from "../ui/parts";

export function Exports(): JSX.Element {
  const all = useStore(jobs);
  const [known, setKnown] = useState(all.length > 0);
  useEffect(() => {
    void findJobs().finally(() => setKnown(true));
  }, []);
  return (
    <div class="page narrow">
      <div class="page-head">
        <h1>{t.nav.exports}</h1>
      </div>
      <p class="quiet">{t.exports.about}</p>
      {!known && <Loading />}
      {known && !all.length && <Empty title={t.exports.none} text={t.exports.noneText} />}
      <ul class="jobs">
        {all.map((job) => (
          <Job key={job.id} job={job} />
        ))}
      </ul>
    </div>
  );
}

function Job({ job }: { job: ExportJob }): JSX.Element {
  return (
    <li class="card job">
      <div class="job-head">
        <Badge text={t.exports.states[job.state]} kind={job.state} />
        <span>{job.made_at ? when(job.made_at) : job.id}</span>
        <span class="quiet">
          {job.state === "done"
            ? bytes(job.bytes)
            : t.exports.size(bytes(job.done), bytes(job.total))}
        </span>
      </div>
      {job.state === "running" && (
        <Progress done={job.done} total={job.total} label={t.exports.progress} />
      )}
      {job.message && (
        <p class={job.state === "failed" ? "bad-text" : "quiet"} dir="auto">
          {job.message}
        </p>
      )}
      <div class="row">
        {job.state === "done" && (
          <a class="button main" href={exportFile(job.id)} download>
            <Icon name="download" />
            <span>{t.exports.fetch}</span>
          </a>
        )}
        {job.state === "running" && (
          <Button
            label={t.cancel}
            onClick={() => void cancel(job.id).catch((error: unknown) => say(words(error), true))}
          />
        )}
      </div>
    </li>
  );
}
